"""What stands in front of a registry in many a company: TLS with a certificate of its own authority, and a password."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llm_orchestrator_state.local.ports import LOOPBACK


def certificate(directory: Path) -> Path:
    """A file with a key and its self-signed certificate for loopback: its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = directory / "registry.pem"
    file.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def gate(to: str, pem: Path, credentials: str) -> Iterator[str]:
    """Passes requests with these credentials ("user:password") on; its address, https://…"""
    allowed = f"Basic {base64.b64encode(credentials.encode()).decode()}"

    class Gate(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            if self.headers.get("Authorization") != allowed:
                self.tell(401, b'{"error_code": 40101, "message": "Unauthorized"}')
                return
            headers = {"Content-Type": self.headers["Content-Type"]} if body else {}
            request = urllib.request.Request(to + self.path, body, headers, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=30) as found:
                    self.tell(found.status, found.read())
            except urllib.error.HTTPError as refused:
                self.tell(refused.code, refused.read())

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the base class's names

        def tell(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Not on the tests' stderr."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Gate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

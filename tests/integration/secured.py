"""A real broker that wants TLS and a login, and asks its ACLs about everything.

Three listeners on loopback: plain text, whose user ANONYMOUS may do everything (brokers, and the test that grants rights);
LOGIN, SASL_SSL with SCRAM-SHA-512; CERTIFICATE, SSL with a client certificate.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka.admin import (  # type: ignore[attr-defined] # it has no __all__
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llm_orchestrator_state.kafka.acls import Rule
from llm_orchestrator_state.kafka.admin import Admin
from llm_orchestrator_state.local.ports import LOOPBACK
from tests.cluster import KafkaCluster

ITERATIONS = 4096
"""The fewest that Kafka allows for SCRAM."""

KEY_PASSWORD = "pass of the key"


class Authority:
    """Makes certificates, as PEM files in a directory. `file` is its own certificate."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority")
        self.file = directory / "authority.pem"
        own = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file.write_bytes(_pem(own.sign(self._key, hashes.SHA256())))

    def certificate(self, name: str, password: str | None = None) -> Path:
        """A file with a key, encrypted where a password is given, and its certificate for loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            self._builder(_name(name), key)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        encryption: serialization.KeySerializationEncryption = (
            serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        )
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        file = self._directory / f"{name}.pem"
        file.write_bytes(private + _pem(made))
        return file

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


class User(NamedTuple):
    """What a client is given, and who it then is. properties: librdkafka's."""

    principal: str
    bootstrap: str
    properties: dict[str, str]


class SecuredKafka:
    def __init__(self, kafka: KafkaCluster, authority: Authority) -> None:
        self.bootstrap = kafka.bootstrap
        self.admin = Admin(kafka.bootstrap)
        self.authority = authority
        self.address_of = kafka.bootstrap_of

    def with_password(self, name: str, password: str) -> User:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        made = UserScramCredentialUpsertion(name, info, password.encode())
        for each in self.admin.client.alter_user_scram_credentials([made]).values():
            each.result()
        properties = {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.authority.file),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": password,
        }
        return User(f"User:{name}", self.address_of("LOGIN"), properties)

    def with_certificate(self, name: str) -> User:
        file = str(self.authority.certificate(name, KEY_PASSWORD))
        properties = {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.file),
            "ssl.certificate.location": file,
            "ssl.key.location": file,
            "ssl.key.password": KEY_PASSWORD,
        }
        return User(f"User:CN={name}", self.address_of("CERTIFICATE"), properties)

    def grant(self, user: User, rules: Iterable[Rule]) -> None:
        for each in self.admin.client.create_acls([AclBinding(**_fields(user, rule)) for rule in rules]).values():
            each.result()

    def revoke(self, user: User, rule: Rule) -> None:
        """Raises where that was not granted."""
        [answer] = self.admin.client.delete_acls([AclBindingFilter(**_fields(user, rule))]).values()
        assert answer.result(), rule


def _fields(user: User, rule: Rule) -> dict[str, Any]:
    """As bindings and filters of bindings take them."""
    resource = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER,
                "transactional-id": ResourceType.TRANSACTIONAL_ID}[rule.resource]  # fmt: skip
    return {
        "restype": resource,
        "name": rule.name,
        "resource_pattern_type": ResourcePatternType.PREFIXED if rule.prefixed else ResourcePatternType.LITERAL,
        "principal": user.principal,
        "host": "*",
        "operation": AclOperation[rule.operation],
        "permission_type": AclPermissionType.ALLOW,
    }


@contextmanager
def secured_kafka(directory: Path) -> Iterator[SecuredKafka]:
    directory.mkdir(exist_ok=True)
    authority = Authority(directory)
    properties: dict[str, Any] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": authority.certificate("broker"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.file,
        "listener.name.certificate.ssl.client.auth": "required",
        "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.login.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    listeners = {"LOGIN": "SASL_SSL", "CERTIFICATE": "SSL"}
    with KafkaCluster(directory / "kafka", listeners=listeners, **properties) as kafka:
        yield SecuredKafka(kafka, authority)

"""Following the state topic, and asking what it says."""

from .asking import Lag
from .async_reader import AsyncStateReader
from .change import Change
from .following import Progress
from .page import Page
from .reader import StateReader
from .resume import ResumePoint

__all__ = ["AsyncStateReader", "Change", "Lag", "Page", "Progress", "ResumePoint", "StateReader"]

"""docsyncd keeps the documents of law firms in step between EspoCRM, Windows, Advoware and xAI."""

__version__ = "0.1.0"

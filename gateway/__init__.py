"""Meeting invitations by e-mail for any mail server and any CalDAV server."""

__version__ = "0.1.0"
__all__ = ["__version__"]

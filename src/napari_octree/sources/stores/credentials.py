"""What fsspec's options mean to obstore, and where credentials come from.

Invariants: nothing is fetched and no metadata service is asked; nothing is stored. Options that
are not known here are left to fsspec.
"""

from __future__ import annotations

import base64
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

TIMEOUT = "30s"
CONNECT_TIMEOUT = "10s"

S3_OPTIONS = {"key": "access_key_id", "secret": "secret_access_key", "token": "session_token"}
AZURE_OPTIONS = {
    "account_name": "account_name",
    "account_key": "account_key",
    "sas_token": "sas_key",
}


@dataclass(frozen=True)
class ObstoreSettings:
    """How obstore opens a store; never shown.

    Attributes
    ----------
    url : str
    config : dict
    client_options : dict
    profile : str or None
        Of the AWS configuration files.
    """

    url: str
    config: dict[str, Any] = field(default_factory=dict, repr=False)
    client_options: dict[str, Any] = field(default_factory=dict, repr=False)
    profile: str | None = None

    @property
    def place(self) -> str:
        """What else than the address says which objects these are: no secret."""
        known = (self.config.get(name) for name in ("endpoint", "base_url", "account_name"))
        return " ".join(str(value) for value in known if value)

    def credential_provider(self) -> dict[str, Any]:
        """Return what refreshes credentials, as keyword of `obstore.store.from_url`."""
        if self.profile is None:
            return {}
        from boto3 import Session
        from obstore.auth.boto3 import Boto3CredentialProvider

        return {"credential_provider": Boto3CredentialProvider(Session(profile_name=self.profile))}


def obstore_settings(address: str, options: Mapping[str, Any]) -> ObstoreSettings | None:
    """Return how obstore opens an address; None where fsspec has to do it."""
    scheme = urlsplit(address).scheme.lower()
    if scheme in ("http", "https"):
        return _http(address, dict(options))
    if scheme in ("s3", "s3a"):
        return _s3(address, dict(options))
    if scheme in ("gs", "gcs"):
        return _gs(address, dict(options))
    if scheme in ("az", "abfs", "abfss"):
        return _azure(address, dict(options))
    return None


def _http(address: str, options: dict[str, Any]) -> ObstoreSettings | None:
    parts = urlsplit(address)
    headers = dict(options.pop("headers", None) or {})
    client = dict(options.pop("client_kwargs", None) or {})
    headers.update(client.pop("headers", None) or {})
    if options or client:
        return None
    if parts.username is not None or parts.password is not None:
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    host = parts.netloc.rpartition("@")[2]
    # Decoded first, so that what was given encoded and what was not mean the same.
    path = quote(unquote(parts.path).rstrip("/"))
    return ObstoreSettings(
        urlunsplit((parts.scheme, host, path, "", "")),
        client_options=_client(parts.scheme, headers),
    )


def _s3(address: str, options: dict[str, Any]) -> ObstoreSettings | None:
    anonymous = bool(options.pop("anon", False))
    client = dict(options.pop("client_kwargs", None) or {})
    endpoint = options.pop("endpoint_url", None) or client.pop("endpoint_url", None)
    profile = options.pop("profile", None)
    region = client.pop("region_name", None) or options.pop("region", None)
    config: dict[str, Any] = {
        name: options.pop(key) for key, name in S3_OPTIONS.items() if options.get(key)
    }
    if options or client:
        return None
    stored = None if anonymous or config else _aws_configuration(profile)
    if stored is not None:
        endpoint = endpoint or stored.get("endpoint_url")
        region = region or stored.get("region")
        profile = stored.get("profile")
        if profile is not None and importlib.util.find_spec("boto3") is None:
            return None  # s3fs reads the files by itself
    elif profile is not None and not anonymous and not config:
        return None
    endpoint = (
        endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    in_environment = "AWS_ACCESS_KEY_ID" in os.environ and not anonymous
    if not config and stored is None and not in_environment:
        config["skip_signature"] = True
    if endpoint:
        config["endpoint"] = endpoint
    config["region"] = (
        region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    )
    parts = urlsplit(address)
    return ObstoreSettings(
        f"s3://{parts.netloc}{parts.path}".rstrip("/"),
        config,
        _client(urlsplit(endpoint).scheme if endpoint else "https", {}),
        profile if stored is not None else None,
    )


def _gs(address: str, options: dict[str, Any]) -> ObstoreSettings | None:
    token = options.pop("token", None)
    anonymous = bool(options.pop("anon", False)) or token == "anon"
    endpoint = options.pop("endpoint_url", None) or os.environ.get("STORAGE_EMULATOR_HOST")
    known = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or _gcloud_credentials().exists()
    if options:
        return None
    config: dict[str, Any] = {}
    if anonymous or (token is None and not known):
        config["skip_signature"] = True
    elif importlib.util.find_spec("gcsfs") is not None:
        return None  # it knows all of Google's ways to log in
    elif isinstance(token, str | os.PathLike):
        config["service_account"] = os.fspath(token)
    elif token is not None:
        return None
    if endpoint:
        config["base_url"] = endpoint if "://" in endpoint else f"http://{endpoint}"
    parts = urlsplit(address)
    return ObstoreSettings(
        f"gs://{parts.netloc}{parts.path}".rstrip("/"),
        config,
        _client(urlsplit(config.get("base_url", "https:")).scheme, {}),
    )


def _azure(address: str, options: dict[str, Any]) -> ObstoreSettings | None:
    anonymous = bool(options.pop("anon", False))
    endpoint = options.pop("endpoint_url", None)
    stated = _parts_of_connection(options.pop("connection_string", None))
    options = {**stated, **options}
    endpoint = endpoint or options.pop("endpoint", None)
    config = {name: options.pop(key) for key, name in AZURE_OPTIONS.items() if options.get(key)}
    if options:
        return None
    if "sas_key" in config:
        config["sas_key"] = str(config["sas_key"]).lstrip("?")
    if anonymous or not ({"account_key", "sas_key"} & config.keys()):
        if not anonymous and any(name.startswith("AZURE_STORAGE_") for name in os.environ):
            return None
        config["skip_signature"] = True
    if endpoint:
        config["endpoint"] = endpoint
    scheme = urlsplit(endpoint).scheme if endpoint else "https"
    return ObstoreSettings(address.rstrip("/"), config, _client(scheme, {}))


def _parts_of_connection(text: str | None) -> dict[str, Any]:
    """Return the options that an Azure connection string stands for."""
    parts = dict(part.split("=", 1) for part in (text or "").split(";") if "=" in part)
    found = {
        "account_name": parts.get("AccountName"),
        "account_key": parts.get("AccountKey"),
        "sas_token": parts.get("SharedAccessSignature"),
        "endpoint": parts.get("BlobEndpoint"),
    }
    return {name: value for name, value in found.items() if value}


def _client(scheme: str, headers: Mapping[str, str]) -> dict[str, Any]:
    client: dict[str, Any] = {"timeout": TIMEOUT, "connect_timeout": CONNECT_TIMEOUT}
    if scheme == "http":
        client["allow_http"] = True
    if headers:
        client["default_headers"] = dict(headers)
    return client


def _aws_configuration(profile: str | None) -> dict[str, Any] | None:
    """Return profile, endpoint and region of the AWS files, None if they say no credentials."""
    import configparser

    name = profile or os.environ.get("AWS_PROFILE") or "default"
    if profile is None and "AWS_ACCESS_KEY_ID" in os.environ:
        return None
    home = Path("~/.aws").expanduser()
    keys = configparser.RawConfigParser()
    settings = configparser.RawConfigParser()
    keys.read(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", home / "credentials"))
    settings.read(os.environ.get("AWS_CONFIG_FILE", home / "config"))
    section = name if name == "default" else f"profile {name}"
    found = dict(settings[section]) if settings.has_section(section) else {}
    if not keys.has_section(name) and not (
        {"aws_access_key_id", "role_arn", "sso_session", "sso_start_url", "credential_process"}
        & found.keys()
    ):
        return None
    return {**found, "profile": name}


def _gcloud_credentials() -> Path:
    return Path("~/.config/gcloud/application_default_credentials.json").expanduser()

"""The configuration says what is wrong with it: every error at once, each with its key, and what to write instead."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from docsyncd import registry
from docsyncd.config import MAX_CONFIG, Config, Problems, bind, control_path, read_settings
from docsyncd.errors import ConfigError
from docsyncd.secrets import Secret
from tests.installed import installed

SOUND = """
    [connectors.espocrm]
    type = "espocrm"
    url = "http://127.0.0.1:1/espocrm"
    api_key = { env = "ESPO_KEY" }

    [connectors.xai]
    type = "xai"
    api_key = { env = "XAI_API_KEY" }
    management_key = { file = "/run/secrets/xai" }
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "docsyncd.toml"


def load(path: Path, text: str) -> Config:
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    settings = read_settings(path)
    return bind(settings, registry.load(disabled=settings.plugins.disabled).connectors, path)


def refused(path: Path, text: str) -> dict[str, str]:
    """The errors by their key."""
    with pytest.raises(ConfigError) as error:
        load(path, text)
    problems = error.value
    return {one.key: str(one) for one in (problems.errors if isinstance(problems, Problems) else (problems,))}


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with installed("good"):
        yield


def test_a_sound_file_is_bound_to_its_connectors(toml: Path) -> None:
    config = load(toml, SOUND)
    assert config.connection("index.catalog", "catalog").connector.name == "espocrm"
    assert config.connection("index.index", "index").name == "xai"
    assert config.settings.index.mode == "observe"
    assert control_path(config.settings) == Path("/var/lib/docsyncd/control.sock")


def test_a_connector_takes_over_what_the_host_says_unless_its_own_table_does(toml: Path) -> None:
    good = '[connectors.good]\ntype = "good"\nurl = "http://127.0.0.1:1"\n'
    config = load(toml, f'index = {{ consent_field = "freigabe" }}\n{good}{textwrap.dedent(SOUND)}')
    assert config.connections["good"].config.model_dump()["consent_field"] == "freigabe"
    own = load(toml, f'{good}consent_field = "own"\n{textwrap.dedent(SOUND)}')
    assert own.connections["good"].config.model_dump()["consent_field"] == "own"


WRONG: list[tuple[str, str, str, str]] = [
    (
        "an unknown key names the nearest",
        "[daemon]\nwokers = 4",
        "daemon.wokers",
        "unknown key. Did you mean `workers`?",
    ),
    ("an unknown table names the nearest", "[deamon]\nworkers = 4", "deamon", "unknown key. Did you mean `daemon`?"),
    (
        "a key that resembles none is told the known ones",
        "[plugins]\nzzz = 1",
        "plugins.zzz",
        "unknown key. Known here: disabled.",
    ),
    (
        "a key inside an optional table names the nearest",
        '[queue]\npassword = { fille = "/run/secrets/redis" }',
        "queue.password.fille",
        "Did you mean `file`?",
    ),
    (
        "a wrong type is told what the key holds",
        '[daemon]\nworkers = "many"',
        "daemon.workers",
        "valid integer",
    ),
    ("a number out of bounds says the bound", "[daemon]\nworkers = 0", "daemon.workers", "greater than or equal to 1"),
    ("the hint is the key's own documentation", "[daemon]\nworkers = 0", "daemon.workers", "Keys worked on at once."),
    ("a word that is none of the choices", '[index]\nmode = "lvie"', "index.mode", "'observe' or 'live'"),
    ("a duration is positive", "[queue]\nlease = 0", "queue.lease", "greater than 0"),
    ("a secret is one of three", "[queue]\npassword = {}", "queue.password", "a secret is one of { credential"),
    (
        "a secret is one of three, not two",
        '[queue]\npassword = { env = "A", file = "/b" }',
        "queue.password",
        "a secret is one of { credential",
    ),
    ("a connection needs a type", "[connectors.folder]\nurl = 1", "connectors.folder", "needs a type"),
    ("a type is a word", "[connectors.folder]\ntype = 1", "connectors.folder", "needs a type"),
    ("a connection is a table", '[connectors]\nfolder = "here"', "connectors.folder", "valid dictionary"),
    ("connections are a table of tables", '[[connectors]]\ntype = "xai"', "connectors", "valid dictionary"),
    ("connections are no word", 'connectors = "xai"', "connectors", "valid dictionary"),
    (
        "a type that resembles an installed one names it",
        '[connectors.espo]\ntype = "espocrn"',
        "connectors.espo.type",
        'no installed plugin brings a connector "espocrn". Did you mean "espocrm"?',
    ),
    (
        "a type that resembles none is told the installed ones",
        '[connectors.files]\ntype = "sharepoint"',
        "connectors.files.type",
        "Installed are: advoware, also-good, espocrm, good, watcher, xai.",
    ),
    (
        "a connector's required key",
        '[connectors.good]\ntype = "good"',
        "connectors.good.url",
        'required and not set. Address of the remote, such as "http://127.0.0.1:8000".',
    ),
    (
        "a connector's unknown key",
        '[connectors.good]\ntype = "good"\nurl = "x"\nparalell = 1',
        "connectors.good.paralell",
        "Did you mean `parallel`?",
    ),
    (
        "a key of a table in a connector's table",
        '[connectors.good]\ntype = "good"\nurl = "x"\nshelf = { lable = "B" }',
        "connectors.good.shelf.lable",
        "Did you mean `label`?",
    ),
    (
        "a key of a table in a connector's list",
        '[connectors.good]\ntype = "good"\nurl = "x"\nkeys = [{ env = "A" }, { envv = "B" }]',
        "connectors.good.keys.1.envv",
        "Did you mean `env`?",
    ),
    (
        "a key of a table that a connector's table names",
        '[connectors.good]\ntype = "good"\nurl = "x"\nnamed_keys = { old = { envv = "B" } }',
        "connectors.good.named_keys.old.envv",
        "Did you mean `env`?",
    ),
]


@pytest.mark.parametrize(("text", "key", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_an_error_names_its_key_and_the_way_out(toml: Path, text: str, key: str, words: str) -> None:
    errors = refused(toml, text)
    assert words in errors[key]
    assert errors[key].startswith(f"{key}: ")


ROLES: list[tuple[str, str, str, str]] = [
    (
        "a role that names nothing is told what there is",
        'index = { catalog = "crm" }\n',
        "index.catalog",
        "there is no [connectors.crm]. Name one of the configured ones (espocrm, xai), or add it.",
    ),
    (
        "a role is refused a connector without its port",
        'index = { catalog = "xai" }\n',
        "index.catalog",
        '[connectors.xai] is of type "xai", which offers no catalog.',
    ),
]


@pytest.mark.parametrize(("text", "key", "words"), [row[1:] for row in ROLES], ids=[row[0] for row in ROLES])
def test_a_role_that_cannot_be_filled_says_why(toml: Path, text: str, key: str, words: str) -> None:
    assert words in refused(toml, text + textwrap.dedent(SOUND))[key]


def test_an_empty_file_lacks_both_roles(toml: Path) -> None:
    errors = refused(toml, "")
    assert set(errors) == {"index.catalog", "index.index"}
    assert "configured ones (none)" in errors["index.index"]


def test_every_error_of_the_hosts_tables_comes_at_once(toml: Path) -> None:
    errors = refused(
        toml,
        """
        [daemon]
        wokers = 4
        log_level = "loud"
        [queue]
        lease = "long"
        [connectors.xai]
        api_key = { env = "A" }
        """,
    )
    assert set(errors) == {"daemon.wokers", "daemon.log_level", "queue.lease", "connectors.xai"}


def test_every_error_of_the_connectors_tables_comes_at_once(toml: Path) -> None:
    errors = refused(
        toml,
        """
        [connectors.good]
        type = "good"
        parallel = 0
        [connectors.xai]
        type = "xai"
        api_key = { env = "A" }
        [connectors.files]
        type = "sharepoint"
        """,
    )
    assert set(errors) == {
        "connectors.good.url",
        "connectors.good.parallel",
        "connectors.xai.management_key",
        "connectors.files.type",
    }


def test_all_the_errors_stand_in_the_text_of_one(toml: Path) -> None:
    with pytest.raises(Problems) as error:
        load(toml, "[daemon]\nwokers = 4\nlog_level = 'loud'\n")
    lines = str(error.value).splitlines()
    assert lines[0] == f"{toml} cannot be used:"
    assert [line.split(":")[0] for line in lines[1:]] == ["  daemon.log_level", "  daemon.wokers"]


FILES: list[tuple[str, bytes, str]] = [
    ("text that is no TOML", b"[daemon\nworkers = 4\n", "is not valid TOML: "),
    ("a key that is written twice", b"[daemon]\nworkers = 4\nworkers = 5\n", "is not valid TOML: "),
    ("text that is not UTF-8", '[daemon]\nname = "Müller"\n'.encode("latin-1"), "is not valid TOML: "),
    (
        "a file of two megabytes",
        b"#" * (2 * 1024 * 1024),
        f"has 2097152 bytes; a configuration has less than {MAX_CONFIG}",
    ),
]


@pytest.mark.parametrize(("content", "words"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_file_that_is_no_configuration(toml: Path, content: bytes, words: str) -> None:
    toml.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_settings(toml)
    assert f"{toml} {words}" in str(error.value)


def test_a_file_of_the_largest_size_is_read(toml: Path) -> None:
    toml.write_bytes(b"#" * MAX_CONFIG)
    assert read_settings(toml).connectors == {}


@pytest.mark.parametrize("there", [False, True], ids=["missing", "a folder"])
def test_a_file_that_cannot_be_read_says_how_to_name_another(toml: Path, *, there: bool) -> None:
    if there:
        toml.mkdir()
    with pytest.raises(ConfigError, match=r"cannot be read: .*\. Name it with --config\."):
        read_settings(toml)


SECRET = "k9-throw-away-secret"


def everything_said(error: BaseException) -> str:
    return "\n".join([str(error), repr(error), *traceback.format_exception(error)])


@pytest.mark.parametrize(
    "text",
    [
        f'[connectors.xai]\ntype = "xai"\napi_key = "{SECRET}"\nmanagement_key = {{ env = "A" }}\n',
        f'[connectors.xai]\ntype = "xai"\napi_key = {{ value = "{SECRET}" }}\nmanagement_key = {{ env = "A" }}\n',
        f'[queue]\npassword = "{SECRET}"\n',
        f'[queue]\npassword = {{ env = ["{SECRET}"] }}\n',
    ],
)
def test_a_secret_written_where_its_place_belongs_is_not_repeated(toml: Path, text: str) -> None:
    toml.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(toml, text)
    assert "api_key" in str(error.value) or "queue.password" in str(error.value)
    assert SECRET not in everything_said(error.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """systemd's credentials."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_a_credential_a_file_and_a_variable_are_read_when_they_are_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "xai").write_text(f"{SECRET}\n", encoding="utf-8")
    (tmp_path / "key").write_text(f"  {SECRET}\r\n", encoding="utf-8")
    monkeypatch.setenv("DOCSYNCD_TEST_KEY", f"{SECRET} ")
    secrets = (Secret(credential="xai"), Secret(file=tmp_path / "key"), Secret(env="DOCSYNCD_TEST_KEY"))
    assert [secret.reveal() for secret in secrets] == [SECRET] * 3
    assert all(SECRET not in f"{secret}{secret!r}{secret.model_dump()}" for secret in secrets)


def test_a_secret_that_is_missing_names_its_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCSYNCD_TEST_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"the credential xai cannot be read \(FileNotFoundError\)\. Check /.*/xai"):
        Secret(credential="xai").reveal()
    with pytest.raises(ConfigError, match=r"the file /.*/key cannot be read \(FileNotFoundError\)"):
        Secret(file=tmp_path / "key").reveal()
    with pytest.raises(ConfigError, match="the environment variable DOCSYNCD_TEST_KEY is not set or is empty"):
        Secret(env="DOCSYNCD_TEST_KEY").reveal()


def test_a_credential_without_systemd_says_how_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match=r"no \$CREDENTIALS_DIRECTORY is set.*systemd unit"):
        Secret(credential="xai").reveal()


def test_a_secret_that_is_empty_is_none(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "xai").write_text("\n", encoding="utf-8")
    monkeypatch.setenv("DOCSYNCD_TEST_KEY", " ")
    with pytest.raises(ConfigError, match=r"the credential xai is empty\. Write the secret into "):
        Secret(credential="xai").reveal()
    with pytest.raises(ConfigError, match="is not set or is empty"):
        Secret(env="DOCSYNCD_TEST_KEY").reveal()


def test_a_secret_that_cannot_be_read_does_not_show_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(ConfigError) as error:
        Secret(file=path).reveal()
    assert "UnicodeDecodeError" in str(error.value)
    assert SECRET not in everything_said(error.value)


@pytest.mark.parametrize("name", ["", "a\0b"], ids=["a folder", "no name at all"])
def test_a_secret_whose_place_is_no_file_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Secret(file=tmp_path / name).reveal()

"""The command line. Each command calls one function elsewhere."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, NoReturn

import anyio
import typer
from rich.console import RenderableType

from docsyncd import __version__, show
from docsyncd.errors import ConfigError, DocsyncdError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keeps the documents of law firms in step between EspoCRM, Windows, Advoware and xAI.",
)

DEFAULT_CONFIG = Path("/etc/docsyncd/docsyncd.toml")
DEFAULT_SOCKET = Path("/run/docsyncd/control.sock")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration.", envvar="DOCSYNCD_CONFIG")]
SocketOption = Annotated[
    Path | None,
    typer.Option("--socket", help="The daemon's control socket. Default: the configuration's, else /run/docsyncd."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def main() -> None:
    """Entry point: what is wrong is said in one sentence, with the way out; a traceback is for bugs only."""
    try:
        app()
    except BaseExceptionGroup as group:
        errors = group.split(DocsyncdError)
        if errors[0] is None or errors[1] is not None:
            raise
        for error in _leaves(errors[0]):
            show.failure(show.console(stderr=True), error)
        sys.exit(1)
    except DocsyncdError as error:
        show.failure(show.console(stderr=True), error)
        sys.exit(1)


def _leaves(group: BaseExceptionGroup[DocsyncdError]) -> Iterator[DocsyncdError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on asyncio, on uvloop where it is installed (extra `speed`)."""
    use_uvloop = importlib.util.find_spec("uvloop") is not None
    anyio.run(work, backend_options={"use_uvloop": use_uvloop})


@app.callback()
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"docsyncd {__version__}")
        raise typer.Exit


@app.command()
def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the daemon in the foreground, until SIGTERM or Ctrl-C. SIGHUP reads the configuration anew."""
    from docsyncd import daemon

    async def work() -> None:
        await daemon.run(config)

    _run(work)


@app.command("check-config")
def check_config(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Check the configuration and the plugins without asking any remote; exit status 1 if it cannot be used."""
    from docsyncd import check

    answer = check.check_config(config)
    if json:
        typer.echo(show.as_json(answer))
    else:
        show.console().print(show.check_config(answer))
    if not answer["ok"]:
        raise typer.Exit(1)


@app.command()
def emulate(
    name: Annotated[str, typer.Argument(help="The connector whose remote is played, such as espocrm or watcher.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65534, help="Port on loopback; 0 chooses a free one.")] = 0,
    root: Annotated[
        Path | None, typer.Option("--root", help="A real folder that the remote has as its own (watcher only).")
    ] = None,
) -> None:
    """Play a remote over HTTP on loopback, to try things out without an account. Ends with Ctrl-C."""
    from docsyncd import emulate as emulation

    async def work() -> None:
        await emulation.run(name, port, root, print_=typer.echo)

    _run(work)


@app.command()
def demo(
    documents: Annotated[
        Path | None, typer.Option("--documents", help="A folder whose files are filed. Default: the samples.")
    ] = None,
    json: JsonOption = False,
    stay: Annotated[bool, typer.Option("--stay", help="Leave everything running and print the addresses.")] = False,
) -> None:
    """Show the whole flow on this machine: emulated EspoCRM and xAI, a real daemon, a kill -9 in the middle."""
    from docsyncd import demo as demonstration

    async def work() -> None:
        if not await demonstration.run(documents, json=json, stay=stay):
            sys.exit(1)

    _run(work)


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Show the queue, the remotes and what is being worked on."""
    _ask("status", {}, config, socket, json=json, render=show.status)


@app.command()
def errors(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Keys to show at most.")] = 100,
    config: ConfigOption = DEFAULT_CONFIG,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """List what is parked and what is failing, with the reasons."""
    _ask("errors", {"limit": limit}, config, socket, json=json, render=show.errors)


@app.command()
def explain(
    document: Annotated[str, typer.Argument(help="The document's id in EspoCRM.")],
    config: ConfigOption = DEFAULT_CONFIG,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Say why a document is as it is, and what helps."""
    _ask("explain", {"document": document}, config, socket, json=json, render=show.explain)


@app.command()
def sync(
    document: Annotated[str, typer.Argument(help="The document's id in EspoCRM.")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the steps until it is done; exit status 1 if it failed.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Look at a document now, and at everything behind it."""
    answer = _ask(
        "sync",
        {"document": document, "wait": wait},
        config,
        socket,
        json=json,
        render=show.sync,
    )
    if wait and not answer["ok"]:
        raise typer.Exit(1)


@app.command()
def retry(
    key: Annotated[str | None, typer.Argument(help="The key, such as doc:65f…, or a document's id.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every parked key.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Try a parked or failing key again now. A valve that holds it lets it pass this once."""
    if (key is None) is not all_:
        raise ConfigError("retry needs either a key or --all.", fix="`docsyncd errors` lists the keys.")
    _ask(
        "retry",
        {"key": key or "", "all": all_},
        config,
        socket,
        json=json,
        render=show.retried,
    )


@app.command()
def pause(config: ConfigOption = DEFAULT_CONFIG, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Begin nothing new until `resume`; webhooks are still taken."""
    _ask("pause", {}, config, socket, json=json, render=show.paused)


@app.command()
def resume(config: ConfigOption = DEFAULT_CONFIG, socket: SocketOption = None, json: JsonOption = False) -> None:
    """End a pause."""
    _ask("resume", {}, config, socket, json=json, render=show.paused)


@app.command()
def reload(config: ConfigOption = DEFAULT_CONFIG, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Read the configuration anew and wait for it; on any error the old one stays and the exit status is 1."""
    _ask("reload", {}, config, socket, json=json, render=show.reloaded)


def _ask(
    command: str,
    arguments: Mapping[str, Any],
    config: Path,
    socket: Path | None,
    *,
    json: bool,
    render: Callable[[Mapping[str, Any]], RenderableType],
) -> Mapping[str, Any]:
    """Ask the daemon, show progress on standard error, print the answer."""
    from docsyncd.serve.control_client import call

    answers: list[Mapping[str, Any]] = []
    console = show.console(stderr=True)

    async def work() -> None:
        async with aclosing(call(_socket(config, socket), command, arguments)) as lines:
            with console.status(command):
                async for line in lines:
                    if "result" in line:
                        answers.append(line["result"])
                    else:
                        console.print(show.step(str(line["progress"])))

    _run(work)
    if not answers:
        _no_answer(command)
    answer = answers[-1]
    if json:
        typer.echo(show.as_json(answer))
    else:
        show.console().print(render(answer))
    return answer


def _no_answer(command: str) -> NoReturn:
    raise DocsyncdError(f"the daemon ended before it answered {command}")


def _socket(config: Path, socket: Path | None) -> Path:
    """The socket named by the option, by a readable configuration, or where the packaged service has it."""
    if socket is not None:
        return socket
    if os.access(config, os.R_OK):
        from docsyncd.config import control_path, read_settings

        return control_path(read_settings(config))
    return DEFAULT_SOCKET

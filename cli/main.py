"""The `genqueue` command."""

import typer

from cli import demo, doctor, up

app = typer.Typer(
    name="genqueue",
    help="Submit a long generation, come back later, collect it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(demo.demo)
app.command()(doctor.doctor)


@app.callback()
def main() -> None:
    """Submit a long generation, come back later, collect it."""


if __name__ == "__main__":
    app()

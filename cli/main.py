"""The `genqueue` command."""

import typer

from cli import batch, catalog, demo, doctor, providers, up

app = typer.Typer(
    name="genqueue",
    help="Submit a long generation, come back later, collect it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.add_typer(catalog.app, name="catalog")
app.add_typer(providers.app, name="providers")
app.add_typer(batch.app)


@app.callback()
def main() -> None:
    """Submit a long generation, come back later, collect it."""


if __name__ == "__main__":
    app()

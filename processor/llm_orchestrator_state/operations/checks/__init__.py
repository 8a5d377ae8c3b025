"""The checks of `doctor`: each looks at one thing and yields what it has found."""

"""The one error users see: what is wrong, and what to type next."""


class PtdeError(Exception):
    """A mistake the user can mend, shown as one sentence without a traceback (exit code 2).

    Args:
        problem: what is wrong, with the offending value ("no map named 3n").
        fix: what to do or type next ("see `ptde maps`"); may be empty when the problem says it all.
    """

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}; {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix

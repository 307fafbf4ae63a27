"""What ends the run with a message for people."""


class Failure(Exception):
    def __init__(self, message, hint):
        super().__init__(message)
        self.hint = hint

"""Generated bad inputs: nothing foreign comes out, and nothing that is given is passed over.

Each kind of input (`kinds.KINDS`) has a hypothesis strategy and a function that tries one case. A
case may end in two ways: it is accepted, and the value then says what was given; or a
`WorkbenchError` refuses it in words of this package. An exception or a warning of another library
fails the test (`checker`).

    pytest tests/generated                                   1,000 cases, the same ones every time
    python -m tests.generated --cases 10000 --seed 1         more, others with each seed

The command prints a row a kind (cases, accepted, refused, foreign), and the smallest example of
every foreign exception. No case trains a model, starts a process or opens a connection.
"""

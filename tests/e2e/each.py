"""Runs a list of tests one after another and says how each went."""
import time, traceback


class Skip(Exception):
    """A test that cannot be done here, and why."""


def run_each(tests, call, trace=False):
    """Prints a line for each test and ends with 'N passed, N failed, N skipped'; the exit status: 1 if one failed or none passed.

    A test is a function with a docstring, which is the sentence that it proves; `call(test)` may return a note.
    With `trace`, a failure is printed with its trace."""
    passed = failed = skipped = 0
    for function in tests:
        begin = time.monotonic()
        try:
            note = call(function)
            passed += 1
            word = "ok     "
        except Skip as why:
            skipped += 1
            word, note = "skipped", why
        except Exception as error:  # an assertion, or the program's answer had no such form
            failed += 1
            word, note = "FAIL   ", f"{type(error).__name__}: {error}"
            if trace:
                traceback.print_exc()
        print(f"{word} {function.__name__}: {function.__doc__}{f' ({note})' if note else ''}  {time.monotonic() - begin:.1f} s", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0

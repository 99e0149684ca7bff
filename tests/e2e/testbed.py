"""What the tests on a node share: the list of tests, skipping, and the main program that runs them in one rig."""
import argparse, os, sys, time, traceback

import daemons
from rig import Rig

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Skip(Exception):
    pass


def run(tests, description, make_world, at_end=lambda world: None):
    """Runs the tests whose name has the word of --only, says how each went, and ends with 'N passed, N failed, N skipped'.

    A test is a function with a docstring, which is the sentence that it proves; it gets the world and may return a note."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/hopscope"))
    parser.add_argument("--only", default="")
    parser.add_argument("-v", action="store_true", help="where a test fails, the trace")
    args = parser.parse_args()
    chosen = [function for function in tests if args.only in function.__name__]
    reason = daemons.why_not()
    if reason:
        for function in chosen:
            print(f"skipped {function.__name__}: {function.__doc__} ({reason})")
        print(f"0 passed, 0 failed, {len(chosen)} skipped")
        return 0
    passed = failed = skipped = 0
    with Rig() as rig:
        world = make_world(os.path.abspath(args.bin), rig)
        try:
            for function in chosen:
                begin = time.monotonic()
                try:
                    note = function(world)
                    passed += 1
                    word = "ok     "
                except Skip as why:
                    skipped += 1
                    word, note = "skipped", why
                except Exception as error:  # an assertion, or the program's answer had no such form
                    failed += 1
                    word, note = "FAIL   ", f"{type(error).__name__}: {error}"
                    if args.v:
                        traceback.print_exc()
                print(f"{word} {function.__name__}: {function.__doc__}{f' ({note})' if note else ''}  {time.monotonic() - begin:.1f} s", flush=True)
        finally:
            at_end(world)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0

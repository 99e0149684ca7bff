"""What the tests on a node share: the main program that runs them in one rig."""
import argparse, os

import daemons
from each import run_each
from rig import Rig

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run(tests, description, make_world, at_end=lambda world: None):
    """Runs the tests whose name has the word of --only, each with the world; where nothing can be started, all are skipped."""
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
    with Rig() as rig:
        world = make_world(os.path.abspath(args.bin), rig)
        try:
            return run_each(chosen, lambda function: function(world), trace=args.v)
        finally:
            at_end(world)

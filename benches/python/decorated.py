import os
import sys

from pid.decorator import pidfile

directory, name = os.path.split(sys.argv[1])


@pidfile(name, piddir=directory)
def main():
    print("hello")


main()

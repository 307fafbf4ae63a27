import Foundation

/// A small service manager, in Python: starts a program the way systemd would, and some ways it would not.
enum Launcher {
    /// Replaces itself by a program that finds in its descriptors and environment what is asked for.
    ///
    /// Arguments: what to pass, separated by commas, and then the program with its arguments. `unix:PATH` and `tcp` are
    /// sockets that listen, `bound:PATH` one that does not, each counted in LISTEN_FDS; `file:PATH` is an open file that is not
    /// counted, `closed` says that standard input and output are closed, `descriptors:SOFT:HARD` are the limits of how many
    /// there may be, and `nolock` says that no memory can be locked.
    private static let script = """
        import ctypes, os, resource, socket, sys
        passed, kept, limits = [], [], None
        for item in sys.argv[1].split(","):
            kind, _, path = item.partition(":")
            if kind == "file":
                kept.append(os.open(path, os.O_RDONLY))
                continue
            if kind == "closed":
                os.close(0); os.close(1)
                continue
            if kind == "descriptors":
                limits = tuple(int(limit) for limit in path.split(":"))
                continue
            if kind == "nolock":
                # PR_CAPBSET_DROP of CAP_IPC_LOCK, by which root locks beyond the limit.
                ctypes.CDLL(None).prctl(24, 14, 0, 0, 0)
                resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
                continue
            s = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX, socket.SOCK_STREAM)
            if kind == "tcp":
                s.bind(("127.0.0.1", 0))
            else:
                os.umask(0o117)
                s.bind(path)
            if kind != "bound":
                s.listen(16)
            passed.append(s.detach())
        # Out of the way of the places they are to have.
        passed = [os.dup2(fd, 200 + i) for i, fd in enumerate(passed)]
        for i, fd in enumerate(passed):
            os.dup2(fd, 3 + i)
        for fd in kept:
            os.dup2(fd, 100)
        if passed:
            os.environ["LISTEN_PID"] = str(os.getpid())
            os.environ["LISTEN_FDS"] = str(len(passed))
        if limits:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.execv(sys.argv[2], sys.argv[2:])
        """

    static let python = "/usr/bin/python3"

    /// What `python` takes to start a program with something passed to it.
    static func arguments(passing: [String], _ program: String, _ arguments: [String]) -> [String] {
        ["-c", script, passing.joined(separator: ","), "\(Programs.directory)/\(program)"] + arguments
    }

    /// Keeps a socket open and starts a program with it, as a service manager does: `restarting` again whenever it has ended
    /// well; `activating` whenever it does not run and somebody waits at the socket, however it ended.
    ///
    /// Prints the pid of each in the first case, and how each ended in the other.
    private static let managingScript = """
        import os, select, socket, sys
        isActivating = sys.argv[1] == "activating"
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.umask(0o117)
        s.bind(sys.argv[2])
        s.listen(16)
        while True:
            if isActivating:
                select.select([s], [], [])
            pid = os.fork()
            if pid == 0:
                os.dup2(s.fileno(), 3)
                os.set_inheritable(3, True)
                os.environ["LISTEN_PID"] = str(os.getpid())
                os.environ["LISTEN_FDS"] = "1"
                os.execv(sys.argv[3], sys.argv[3:])
            if not isActivating:
                print(pid, flush=True)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if isActivating:
                print("ended", code, flush=True)
            elif code != 0:
                sys.exit(1)
        """

    static func arguments(restartingOn socket: String, _ program: String, _ arguments: [String]) -> [String] {
        ["-c", managingScript, "restarting", socket, "\(Programs.directory)/\(program)"] + arguments
    }

    static func arguments(activatingOn socket: String, _ program: String, _ arguments: [String]) -> [String] {
        ["-c", managingScript, "activating", socket, "\(Programs.directory)/\(program)"] + arguments
    }
}

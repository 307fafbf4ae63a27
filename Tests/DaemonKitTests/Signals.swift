import Glibc

enum TestSignal: Int32 {
    case hangup = 1
    case terminate = 15
}

func sendSelf(_ signal: TestSignal) { kill(getpid(), signal.rawValue) }

func ignoreHangup() { signal(SIGHUP, SIG_IGN) }

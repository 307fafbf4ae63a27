import CLibFuzzer
import FuzzProperties
import Glibc

/// `fuzz --list`, or `FUZZ_TARGET=TARGET fuzz` with libFuzzer's options and directories: the target is not among them, since
/// libFuzzer starts itself anew with the same ones when it merges.
@main
struct Fuzz {
    static let targets = FuzzTarget.all(directory: "Fuzz")

    /// What the input goes to; set once, before the first.
    nonisolated(unsafe) static var target = targets[0]

    static func main() {
        if CommandLine.arguments.dropFirst().first == "--list" {
            for target in targets { print("\(target.name)\t\(target.longestInput)\t\(target.summary)") }
            return
        }
        let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) }
        guard let chosen = targets.first(where: { $0.name == name }) else {
            print("usage: fuzz --list, or FUZZ_TARGET=TARGET fuzz [libFuzzer options]")
            exit(2)
        }
        unsafe target = chosen
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
        let status = unsafe LLVMFuzzerRunDriver(&count, &arguments) { data, count in
            unsafe Fuzz.feed(Array(UnsafeBufferPointer(start: data, count: count)))
            return 0
        }
        exit(status)
    }

    private static func feed(_ input: [UInt8]) {
        do throws(Violation) {
            try unsafe target.check(input)
        } catch {
            // libFuzzer keeps the input of whatever traps.
            fatalError("\(error)")
        }
    }
}

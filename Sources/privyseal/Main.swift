import Foundation
import Glibc

@main
struct Main {
    static func main() async {
        // A reader that goes away (`| head`) or an agent that hangs up must end in an error of the write, not in a signal.
        signal(SIGPIPE, SIG_IGN)
        exit(await PrivySeal.run(Array(CommandLine.arguments.dropFirst()), on: .process))
    }
}

import Dispatch
import Foundation
import SigningSteps

/// Does one step so many times, for a counter that watches the process from outside.
@main
enum RepeatStep {
    /// Not asynchronous itself: the thread that main returns on would leave for libdispatch, where valgrind 3.19 ends.
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.elementsEqual(["--list"]) {
            for step in SigningStep.all { print("\(step.name)\t\(step.isOnOneThread ? "one" : "several")\t\(step.summary)") }
            return
        }
        guard arguments.count == 2, let name = arguments.first, let count = arguments.last.flatMap(Int.init), count > 0,
            let step = SigningStep.all.first(where: { $0.name == name })
        else {
            end("usage: repeat-step --list, or repeat-step STEP COUNT", status: 2)
        }
        let hasEnded = DispatchSemaphore(value: 0)
        Task.detached {
            do {
                try await run(step, count)
            } catch {
                end("error: \(error)", status: 1)
            }
            hasEnded.signal()
        }
        hasEnded.wait()
    }

    private static func run(_ step: SigningStep, _ count: Int) async throws {
        let prepared = try await step.prepared()
        let done = Result {
            // What is done the first times only is over then, such as the growing of buffers and caches.
            _ = try prepared.repeated(count / 10 + 1)
            _ = try prepared.repeated(count)
        }
        await prepared.end()
        try done.get()
    }

    private static func end(_ line: String, status: Int32) -> Never {
        FileHandle.standardError.write(Data("\(line)\n".utf8))
        exit(status)
    }
}

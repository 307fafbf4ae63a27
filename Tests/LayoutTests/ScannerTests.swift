import Testing

/// The scanner's own tests: a rule that cannot be broken guards nothing.
@Suite struct ScannerTests {
    @Test(
        "each rule catches what breaks it",
        arguments: [
            ("KeyLifecycle/A.swift", "import Foundation"),
            ("KeyLifecycle/A.swift", "import Platform"),
            ("KeyLifecycle/A.swift", "let x = 1; import Glibc"),
            ("Agent/Keys/A.swift", "import CCryptoki"),
            ("Agent/Keys/A.swift", "@preconcurrency internal import CCryptoki"),
            ("PKCS11/A.swift", "import CLibP11"),
            ("PKCS11/A.swift", "import JOSE"),
            ("DaemonKit/A.swift", "import CPlatform"),
            ("privyseal/A.swift", "import Agent"),
            ("privyseal/A.swift", "@testable import PKCS11"),
            ("privyseal-issuer/A.swift", "public import IssuerStore"),
            ("OIDCFrontend/A.swift", "import struct Agent.Listener"),
            ("AgentClient/A.swift", "import IssuerStore"),
            ("AgentClient/A.swift", "import DaemonKit"),
            ("Agent/Socket/A.swift", "import NIOCore"),
            ("AgentProtocol/A.swift", "import NIOCore"),
            ("Agent/A.swift", "@_spi(Testing) import ArgumentParser"),
            ("Agent/A.swift", "import GRDB"),
            ("privyseal/A.swift", "import JWTKit"),
            ("privyseald/A.swift", "import Yams"),
            ("privyseal-issuer/A.swift", "import Hummingbird"),
            ("Agent/A.swift", "import SomethingNew"),
            ("Agent/A.swift", "let x = unsafe pointer.pointee"),
            ("Agent/A.swift", "let x = \"\\(unsafe pointer.pointee)\""),
            ("Agent/A.swift", "let t = Date()"),
            ("Agent/A.swift", "let t: Date = .now"),
            ("Agent/A.swift", "let t = Foundation.Date()"),
            ("Agent/A.swift", "let t = ContinuousClock.now"),
            ("Agent/A.swift", "let c = ContinuousClock()"),
            ("Agent/A.swift", "let t = WallClock.now()"),
            ("Agent/A.swift", "let t = NIODeadline.now()"),
            ("Agent/A.swift", "_ = bell.wait(until: end)"),
            ("privyseald/A.swift", "_ = NSCondition().wait(until: Date(timeIntervalSinceNow: 1))"),
            ("privyseald/A.swift", "Thread.sleep(until: end)"),
            ("Platform/A.swift", "let semaphore = DispatchSemaphore(value: 0)"),
            ("DaemonKit/A.swift", "group.wait(timeout: .now() + 1)"),
            ("DaemonKit/A.swift", "queue.asyncAfter(wallDeadline: .now() + 1) {}"),
            ("privyseal/A.swift", "if lock.lock(before: end) {}"),
            ("Platform/A.swift", "unsafe sem_timedwait(semaphore, &end)"),
            ("Platform/A.swift", "final class Box: @unchecked Sendable {}"),
            ("Platform/A.swift", "/// A box.\nfinal class Box: @unchecked Sendable {}"),
            ("Agent/A.swift", "\nnonisolated(unsafe) var x = 0"),
            ("Agent/A.swift", "let m = Mutex<Int>(0)"),
            ("Agent/A.swift", "actor Agent {}"),
        ])
    func catches(path: String, text: String) {
        #expect(!SourceFile(path: path, text: text).violations.isEmpty)
    }

    @Test(
        "what keeps to the rules passes",
        arguments: [
            ("Agent/Socket/A.swift", "public import AgentProtocol\nimport Platform"),
            ("OIDCFrontend/A.swift", "import AgentClient\nimport AgentProtocol\nimport NIOCore\nimport HummingbirdCore"),
            ("PKCS11/A.swift", "import CCryptoki\nimport Glibc\nlet x = unsafe y"),
            ("Agent/A.swift", "// import CCryptoki, unsafe, Date()\nlet s = \"unsafe Date() import GRDB\""),
            ("Agent/A.swift", "/* /* unsafe */ Date() */ let x = 1"),
            ("Agent/A.swift", "let s = #\"a \" unsafe \\(b)\"#\nlet t = \"\"\"\n  \"unsafe\" Date()\n  \"\"\""),
            ("Agent/A.swift", "let t = clock.now()\nlet u = self.now()\nlet d = Date(timeIntervalSince1970: 0)"),
            ("Agent/A.swift", "channel.unsafeGetSocketOption(level: a, name: b)"),
            ("Platform/A.swift", "// Sendable: immutable.\nfinal class Box: @unchecked Sendable {}"),
            ("Agent/A.swift", "    // Written before any thread starts.\n    nonisolated(unsafe) var x = 0"),
            ("privyseald/A.swift", "let t = Date()"),
            (
                "Agent/A.swift",
                "try await Task.sleep(until: next, clock: clock)\nreturn .wait(until: next)\nbell.wait(seconds: 1)"
            ),
            ("Agent/A.swift", "struct AgentState {}"),
        ])
    func passes(path: String, text: String) {
        #expect(SourceFile(path: path, text: text).violations.isEmpty)
    }

    @Test("a room uses its own and those before it, and a folder that is no room is noticed")
    func rooms() {
        let files = [
            SourceFile(path: "Agent/Low/A.swift", text: "final class Queue {}\nprivate struct Server {}\nlet a = Server()"),
            SourceFile(path: "Agent/High/B.swift", text: "package enum Board { struct Queue {} }\nlet q: Queue // Server\n"),
            SourceFile(path: "Agent/C.swift", text: "actor Server { let board: Board }"),
        ]
        #expect(RoomGraph(files: files, rooms: ["Low", "High"]).violations.isEmpty)
        func lines(_ path: String, _ text: String) -> [Int] {
            RoomGraph(files: files + [SourceFile(path: path, text: text)], rooms: ["Low", "High"]).violations.map(\.line)
        }
        #expect(lines("Agent/Low/D.swift", "let a = 1\nextension Board {}") == [2])
        #expect(lines("Agent/Low/D.swift", "func f(_ server: Server?) {}") == [1])
        #expect(lines("Agent/High/D.swift", "let s = \"\\(Server.name)\"") == [1])
        #expect(lines("Agent/High/D.swift", "let s = Queue(); let t = \"Server\"").isEmpty)
        #expect(lines("Agent/Other/D.swift", "let a = 1") == [1])
    }

    @Test("a violation names its file and line")
    func place() {
        let text = "let s = \"\"\"\n  unsafe\n  \"\"\"\n/*\n*/\nlet t = Date()\n"
        let violations = SourceFile(path: "Agent/Keys/A.swift", text: text).violations
        #expect(violations.map(\.line) == [6])
        #expect(violations.first?.description.hasPrefix("Sources/Agent/Keys/A.swift:6: ") == true)
    }
}

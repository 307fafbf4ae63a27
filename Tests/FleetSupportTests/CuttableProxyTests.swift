import FleetSupport
import Foundation
import TestSupport
import Testing

/// A way to an echo, each time of a test's own.
@Suite("A way that can be cut")
struct CuttableProxyTests {
    private func withEcho(_ body: (Echo, CuttableProxy, CuttableProxy.Place) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let echo = try Echo(directory + "/echo")
            defer { echo.end() }
            let proxy = try await CuttableProxy.start(
                listeningAt: .socket(directory + "/proxy"), to: .socket(directory + "/echo"))
            try await body(echo, proxy, proxy.place)
            await proxy.close()
        }
    }

    @Test("hands everything on, both ways")
    func open() async throws {
        try await withEcho { _, _, place in
            let line = try Line(place)
            defer { line.end() }
            for text in ["one", "two"] {
                try line.write(text)
                #expect(line.read(text.utf8.count) == text)
            }
        }
    }

    @Test("ends connections that there are and those that come, and takes them again")
    func cut() async throws {
        try await withEcho { _, proxy, place in
            let line = try Line(place)
            defer { line.end() }
            try line.write("one")
            #expect(line.read(3) == "one")
            proxy.set(.cut)
            #expect(line.read(1) == "")
            let another = try Line(place)
            #expect(another.read(1) == "")
            another.end()
            proxy.set(.open)
            let third = try Line(place)
            defer { third.end() }
            try third.write("two")
            #expect(third.read(3) == "two")
        }
    }

    @Test("takes what is said to one that is silent and never answers, not even when it is open again")
    func silent() async throws {
        try await withEcho { echo, proxy, place in
            let before = try Line(place)
            defer { before.end() }
            try before.write("one")
            #expect(before.read(3) == "one")
            proxy.set(.silent)
            let line = try Line(place)
            defer { line.end() }
            try line.write("lost")
            try before.write("lost")
            #expect(!line.isReadable(within: 100) && !before.isReadable(within: 100))
            proxy.set(.open)
            #expect(line.read(1) == "" && before.read(1) == "")
            #expect(!echo.heard.contains("lost"))
        }
    }

    @Test("hands a request on and loses the answer")
    func losesAnswers() async throws {
        try await withEcho { echo, proxy, place in
            proxy.set(.losesAnswers)
            let line = try Line(place)
            defer { line.end() }
            try line.write("asked")
            while !echo.heard.contains("asked") { try await Task.sleep(for: .milliseconds(5)) }
            #expect(!line.isReadable(within: 100))
            proxy.set(.open)
            #expect(line.read(1) == "")
        }
    }

    @Test("hands on later, and in order also when it is quicker again")
    func delayed() async throws {
        try await withEcho { _, proxy, place in
            let line = try Line(place)
            defer { line.end() }
            proxy.set(.delayed(200))
            try line.write("first")
            #expect(!line.isReadable(within: 50))
            proxy.set(.open)
            try line.write("second")
            #expect(line.read(11) == "firstsecond")
        }
    }

    @Test("goes over TCP as well, at a port of the system's choice, and ends a connection to nobody")
    func port() async throws {
        try await withTemporaryDirectory { directory in
            let echo = try Echo(directory + "/echo")
            let inner = try await CuttableProxy.start(listeningAt: .port(0), to: .socket(directory + "/echo"))
            let outer = try await CuttableProxy.start(listeningAt: .socket(directory + "/proxy"), to: inner.place)
            #expect(inner.place != .port(0))
            let line = try Line(outer.place)
            try line.write("one")
            #expect(line.read(3) == "one")
            line.end()
            await inner.close()
            let nobody = try Line(outer.place)
            #expect(nobody.read(1) == "")
            nobody.end()
            await outer.close()
            echo.end()
        }
    }
}

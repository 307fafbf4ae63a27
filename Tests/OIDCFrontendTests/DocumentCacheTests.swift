import AgentProtocol
import Foundation
import ServiceLifecycle
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("The cache on disk")
struct DocumentCacheTests {
    let results = ["a", "b"].map {
        discovery(of: $0, [url($0, [(wire(0), "k1+k2"), (wire(100), "k2")]), url($0 + "-old", expiresAt: wire(50))])
    }

    @Test("after a restart the same documents are served, and end by themselves at the same moments")
    func restart() throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            try cache.save(results, deployment: "first")
            try cache.save(confirmedAt: wire(7))
            let publication = cache.load(logger: silent)
            #expect(publication.results == Dictionary(uniqueKeysWithValues: results.map { ($0.issuer, $0) }))
            #expect(publication.deployment == "first")
            #expect(publication.confirmedAt == wire(7))
            #expect(publication.jwks("a", at: 99) == jwksBody("k1+k2"))
            #expect(publication.jwks("a", at: 100) == jwksBody("k2"))
            #expect(publication.jwks("a-old", at: 49) != nil)
            #expect(publication.jwks("a-old", at: 50) == nil)
        }
    }

    @Test("what an operator has accepted is there for the frontend, as it was said")
    func acceptance() throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            #expect(cache.acceptance(logger: silent) == nil)
            for former in ["first", nil] {
                let accepted = Acceptance(deployment: "second", former: former, forgotten: ["a": 4])
                try cache.save(accepted)
                #expect(cache.acceptance(logger: silent) == accepted)
            }
        }
    }

    @Test("an empty directory is an empty publication")
    func empty() throws {
        try withTemporaryDirectory { directory in
            let publication = DocumentCache(directory: directory).load(logger: silent)
            #expect(publication.results.isEmpty)
            #expect(publication.confirmedAt == nil)
        }
    }

    @Test(
        "a corrupt or foreign file is set aside and the frontend starts without it",
        arguments: [
            "", "{", "[]", "{}", "{\"format\":\"something else\",\"issuers\":[]}",
            "{\"format\":\"privyseal-issuer documents 1\"}",
        ])
    func unusable(content: String) throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            try cache.save(confirmedAt: wire(7))
            for round in 0..<2 {
                try Data("\(content)".utf8).write(to: URL(fileURLWithPath: cache.documentsPath))
                let publication = cache.load(logger: silent)
                #expect(publication.results.isEmpty)
                #expect(publication.confirmedAt == nil)
                #expect(!FileManager.default.fileExists(atPath: cache.documentsPath), "round \(round)")
                let aside = try Data(contentsOf: URL(fileURLWithPath: cache.documentsPath + ".unusable"))
                #expect(aside == Data(content.utf8))
            }
            try cache.save(results, deployment: "first")
            #expect(cache.load(logger: silent).results.count == 2)
        }
    }

    @Test("a file that others could have changed is set aside unread", arguments: [0o620, 0o602, 0o666])
    func exposed(mode: Int) throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            try cache.save(results, deployment: "first")
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: cache.documentsPath)
            let records = LogRecords()
            #expect(cache.load(logger: records.logger).results.isEmpty)
            #expect(records.messages == ["a cache file is unusable and set aside"])
            #expect(FileManager.default.fileExists(atPath: cache.documentsPath + ".unusable"))
        }
    }

    @Test("a file of another user's is set aside unread", .enabled(if: getuid() == 0, "takes root"))
    func foreign() throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            try cache.save(results, deployment: "first")
            try FileManager.default.setAttributes([.ownerAccountID: 4_242], ofItemAtPath: cache.documentsPath)
            #expect(cache.load(logger: silent).results.isEmpty)
        }
    }

    @Test("header fields in a file's entity tag are not served: the file is set aside")
    func fieldsInTag() throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            var results = results
            results[1].urls[1].versions[0].jwks.etag = "\"a\"\r\nSet-Cookie: b"
            try cache.save(results, deployment: "first")
            #expect(cache.load(logger: silent).results.isEmpty)
            #expect(FileManager.default.fileExists(atPath: cache.documentsPath + ".unusable"))
        }
    }

    @Test("documents without a usable time of the agent's word are served, but not ready")
    func confirmationUnusable() throws {
        try withTemporaryDirectory { directory in
            let cache = DocumentCache(directory: directory)
            try cache.save(results, deployment: "first")
            try Data("nonsense".utf8).write(to: URL(fileURLWithPath: cache.confirmationPath))
            let publication = cache.load(logger: silent)
            #expect(publication.results.count == 2)
            #expect(publication.readiness(at: moment(0), uptime: 0, staleAfter: 3600) == .neverConfirmed)
        }
    }

    @Test("a directory that is not there is refused with what to do")
    func noDirectory() throws {
        let cache = DocumentCache(directory: "/nonexistent/cache")
        let error = #expect(throws: FrontendError.self) { try cache.checkWritable() }
        #expect(error?.code == .cacheUnusable)
        #expect(error?.message.contains("/nonexistent/cache") == true)
    }

    @Test("checking for writability leaves nothing behind")
    func checkLeavesNothing() throws {
        try withTemporaryDirectory { directory in
            try DocumentCache(directory: directory).checkWritable()
            let left = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(left.isEmpty)
        }
    }
}

@Suite("Writing the cache")
struct CacheWriterTests {
    @Test("changes reach the disk while running, and the last ones at shutdown")
    func writes() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let cache = DocumentCache(directory: directory)
            let publication = LivePublication(clock: clock.reading, uptime: { 0 })
            try await withWriter(cache, publication) {
                publication.apply(discovery(of: "demo", [url("a")]))
                publication.confirm()
                try await eventually("documents and time on disk") {
                    let kept = cache.load(logger: silent)
                    return kept.jwks("a", at: 0) == jwksBody("k1") && kept.confirmedAt == wire(0)
                }
                publication.drop("demo")
                try await eventually("the deletion on disk") { cache.load(logger: silent).results.isEmpty }
                // Less than a minute later, so it waits for the shutdown.
                clock.move(to: moment(10))
                publication.confirm()
            }
            #expect(cache.load(logger: silent).confirmedAt == wire(10))
        }
    }

    @Test("a word a minute later reaches the disk by itself, although no document changed")
    func confirmation() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let cache = DocumentCache(directory: directory)
            let publication = LivePublication(clock: clock.reading, uptime: { 0 })
            try await withWriter(cache, publication) {
                publication.apply(discovery(of: "demo", [url("a")]))
                publication.confirm()
                try await eventually("the first word on disk") { cache.load(logger: silent).confirmedAt == wire(0) }
                clock.move(to: moment(60))
                publication.confirm()
                try await eventually("the second word on disk") { cache.load(logger: silent).confirmedAt == wire(60) }
            }
        }
    }

    @Test("a disk that refuses is tried again at the next word")
    func failing() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let cache = DocumentCache(directory: directory + "/later")
            let publication = LivePublication(clock: clock.reading, uptime: { 0 })
            try await withWriter(cache, publication) {
                publication.apply(discovery(of: "demo", [url("a")]))
                publication.confirm()
                try FileManager.default.createDirectory(atPath: directory + "/later", withIntermediateDirectories: false)
                try await eventually("documents on disk") {
                    publication.confirm()
                    return cache.load(logger: silent).jwks("a", at: 0) == jwksBody("k1")
                }
            }
        }
    }

    private func withWriter(_ cache: DocumentCache, _ publication: LivePublication, _ body: () async throws -> Void) async throws
    {
        let writer = CacheWriter(cache: cache, loaded: publication.current, publication: publication, logger: silent)
        let group = ServiceGroup(services: [writer], logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

import Agent
import AgentSettings
import ArgumentParser
import DaemonKit
import Foundation
import KeyLifecycle
import Platform

/// `privyseald token fence-test`
struct FenceTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fence-test",
        abstract: "Try whether destroying a key stops a process that has used it.",
        discussion: """
            A key that is revoked is destroyed on the token. Whether that stops another process or machine that holds a handle to it \
            at once differs between tokens. This command makes a key for the purpose, has a second process sign with it and keep \
            its handle, destroys the key, and has that process sign again. It may run beside agents, whose keys it does not touch; \
            the key is gone afterwards, also when the command is cut off.

            With several agents: privyseal health says what was found last on this machine. A revocation waits for each agent either \
            way; where a handle goes on signing, an agent that does not answer may sign until store.maxStaleness is over.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Flag(help: "Print what was found as JSON.")
    var json = false

    /// Whether this is the process that uses the key.
    @Flag(help: .hidden)
    var second = false

    func run() throws {
        do {
            if second { try SecondProcess(config: config).run() } else { try test() }
        } catch let code as ExitCode {
            throw code
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private func test() throws {
        // Before the PIN is taken out of the environment, where the other process has to find it too.
        let other = try OtherProcess(config: config)
        defer { other.end() }
        let startup = try Startup(configuration: config)
        // This one logs in first: a wrong PIN is sent once.
        let party = try FenceTestParty(startup.agentConfiguration())
        defer { party.end() }
        guard let keyID = KeyID(SystemRandom.bytes(KeyID.length)) else { preconditionFailure("a CKA_ID has 16 bytes") }
        try other.ask("login \(keyID)")
        let finding: FenceFinding
        do {
            try party.makeKey(keyID)
            try other.ask("use")
            try party.destroyKey(keyID)
            finding = FenceFinding(
                token: party.token.label, serial: party.token.serial, cachedHandle: try other.ask("again"),
                freshSession: try other.ask("anew"))
        } catch {
            try? party.destroyKey(keyID)
            throw error
        }
        try other.ask("forget")
        try finding.remember(beside: startup.settings.store)
        print(json ? finding.json : finding.sentence)
    }
}

/// What was found of a token.
struct FenceFinding: Codable, Equatable {
    /// By label.
    var token: String
    var serial: String
    /// What the handle did that was kept: `signs`, or the reason why not.
    var cachedHandle: String
    /// What a search in a fresh session, and a signature with what it found, did.
    var freshSession: String

    /// Whether destroying a key stops whoever has used it.
    var stops: Bool { cachedHandle != Self.signs && freshSession != Self.signs }

    static let signs = "signs"

    var sentence: String {
        let name = "token \"\(token)\" (serial \(serial))"
        if stops { return "\(name): destroying a key stops a process that has used it (\(cachedHandle))" }
        return freshSession == Self.signs
            ? "\(name): a destroyed key goes on signing in another process, in a fresh session too: have the token examined"
            : "\(name): destroying a key does not stop a process that has used it: its handle goes on signing"
    }

    var json: String { String(decoding: encoded, as: UTF8.self) }

    private var encoded: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts alone: there is nothing in these that JSON cannot hold.
        return (try? encoder.encode(Written(finding: self, stops: stops))) ?? Data()
    }

    private struct Written: Encodable {
        let finding: FenceFinding
        let stops: Bool

        enum Key: String, CodingKey { case stops }

        func encode(to encoder: any Encoder) throws {
            try finding.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(stops, forKey: .stops)
        }
    }
}

extension FenceFinding {
    /// Beside what else this machine keeps: a file of its own, since an agent that runs has the other one to itself.
    private static func path(_ store: StoreSetting) -> String { store.localFile + ".fence-test" }

    func remember(beside store: StoreSetting) throws {
        try AtomicFile.write(Array(encoded), to: Self.path(store), mode: 0o600)
    }

    /// `nil` where nothing was tried, or what is there cannot be relied on.
    static func remembered(beside store: StoreSetting) -> FenceFinding? {
        guard let bytes = try? RegularFile.readTrusted(path: path(store), limit: 4_096) else { return nil }
        return try? JSONDecoder().decode(FenceFinding.self, from: Data(bytes))
    }

    var result: FenceTestResult { FenceTestResult(label: token, serial: serial, stops: stops) }
}

// MARK: - Two processes

/// The process that uses the key, as the other one has it: a line for each question, a line for its answer.
private final class OtherProcess {
    private let process = Process()
    private let (questions, answers) = (Pipe(), Pipe())
    private var unread: [UInt8] = []

    /// Seconds after which a module that does not answer is not waited for.
    private static let limit = 60.0

    init(config: String) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["token", "fence-test", "--second", "--config", config]
        process.standardInput = questions
        process.standardOutput = answers
        try process.run()
    }

    /// - Returns: the answer.
    /// - Throws: `StartupFailure` with what the process says of itself, or when it says nothing.
    @discardableResult
    func ask(_ question: String) throws -> String {
        do {
            try questions.fileHandleForWriting.write(contentsOf: Data("\(question)\n".utf8))
        } catch {
            throw silence
        }
        let watch = DispatchWorkItem { [pid = process.processIdentifier] in kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.limit, execute: watch)
        defer { watch.cancel() }
        guard let line = readLine() else { throw silence }
        guard let failure = line.droppingPrefix("failed ") else { return line }
        throw StartupFailure(what: "the second process: \(failure)", todo: "check the token, then try again")
    }

    private func readLine() -> String? {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeSubrange(...end) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            let more = answers.fileHandleForReading.availableData
            guard !more.isEmpty else { return nil }
            unread += more
        }
    }

    /// Ends it, whatever it does.
    func end() {
        try? questions.fileHandleForWriting.close()
        let pid = process.processIdentifier
        let watch = DispatchWorkItem { kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 10, execute: watch)
        process.waitUntilExit()
        watch.cancel()
    }

    private var silence: StartupFailure {
        StartupFailure(
            what: "the second process has ended, or its PKCS#11 module does not return",
            todo: "check the module and the token, then try again")
    }
}

extension String {
    fileprivate func droppingPrefix(_ prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}

/// The process that uses the key.
private struct SecondProcess {
    let config: String

    /// Answers until there are no more questions. When they end before the key is said to be done with, the other process is gone,
    /// and the key is destroyed here.
    func run() throws {
        var (party, key): (FenceTestParty?, KeyID?)
        defer { party?.end() }
        while let question = readLine() {
            do {
                let words = question.split(separator: " ").map(String.init)
                switch (words.first, party) {
                case ("login", nil):
                    key = KeyID(hexadecimal: words.last ?? "")
                    party = try FenceTestParty(Startup(configuration: config).agentConfiguration())
                    answer("done")
                case ("use", let party?):
                    try key.map { try party.use($0) }
                    answer("done")
                case ("again", let party?): answer(party.useAgain().word)
                case ("anew", let party?): answer(key.map { party.useAnew($0).word } ?? "no key")
                case ("forget", _?):
                    key = nil
                    answer("done")
                default: answer("failed it does not know what \(question) is")
                }
            } catch {
                let failure = (error as? StartupFailure) ?? StartupFailure(mapping: error)
                answer("failed \(failure.what)")
            }
        }
        if let party, let key { try party.destroyKey(key) }
    }

    private func answer(_ line: String) {
        // Whoever asked may be gone.
        try? FileHandle.standardOutput.write(contentsOf: Data("\(line.split(separator: "\n").joined(separator: " "))\n".utf8))
    }
}

extension FenceTestParty.Outcome {
    fileprivate var word: String {
        switch self {
        case .signs: FenceFinding.signs
        case .stopped(let why): why
        }
    }
}

extension KeyID {
    fileprivate init?(hexadecimal text: String) {
        let digits = Array(text.utf8)
        self.init(
            stride(from: 0, to: digits.count, by: 2).compactMap { place in
                UInt8(String(decoding: digits[place..<min(place + 2, digits.count)], as: UTF8.self), radix: 16)
            })
    }
}

import ArgumentParser
import DaemonKit
import OIDCFrontend
import Platform

struct AcceptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept",
        abstract: "Take the agents' word in place of documents that it knows nothing of.",
        discussion: """
            A frontend gives up documents only for an issuer that its own deployment has deleted. Where the agent has another \
            store than before, or one that never had some of the issuers, it goes on serving and turns unready. Most often the \
            agent's store has to be restored then. Where it is right as it is, this says what relying parties would lose, and \
            with --yes has the frontend that runs, or the next one, take it; within 10 s.

            What root asks is read and written as the user of the service: --user, or else the owner of the cache directory.

            All agents of the configuration are asked. What one of them knows as it is served is not lost; one that does not answer, \
            or is of another deployment than the others, is named, and the plan made without its word.

            Ends with 0 when nothing has to be accepted or it was, 1 when something has to be.
            """)

    @OptionGroup var file: ConfigurationOption

    @Flag(name: [.customShort("y"), .long], help: "Accept it.")
    var yes = false

    @OptionGroup var service: ServiceUserOption

    func run() async throws {
        let configuration = try file.load()
        _ = try service.assume(owning: configuration.cache)
        let cache = DocumentCache(directory: configuration.cache, trusting: configuration.settings.trusted)
        let plan: AcceptancePlan
        do {
            plan = try await AcceptancePlan.read(agents: configuration.sockets, cache: cache)
        } catch let error as FrontendError {
            throw StartupFailure(what: error.message, todo: error.hint)
        }
        for absentee in plan.absentees { print("note: \(absentee.line)") }
        guard !plan.isEmpty else {
            let agents = configuration.sockets.count == 1 ? "the agent knows" : "the agents know"
            return print("nothing has to be accepted: \(agents) of all that is served")
        }
        for line in plan.lines { print(line) }
        guard yes else {
            throw StartupFailure(
                what: "nothing was changed", todo: "restore the agent's store, or accept this with --yes")
        }
        do {
            try cache.save(plan.acceptance)
        } catch {
            throw StartupFailure(what: error.message, todo: error.hint)
        }
        print("accepted: the frontend takes it within 10 s, or when it is started")
    }
}

extension AcceptancePlan {
    fileprivate var lines: [String] {
        var lines: [String] = []
        if acceptance.deployment != acceptance.former {
            lines.append("deployment: \(acceptance.deployment) instead of \(acceptance.former ?? "one that is not known")")
        }
        lines += losses.map { "lost: \($0.url) of issuer \($0.issuer): its JWTs no longer verify" }
        lines += stepsBack.map {
            "older: issuer \($0.issuer) is known in generation \($0.known), and served in \($0.served): what was signed with keys of that one no longer verifies"
        }
        lines += gains.map { "new: issuer \($0)" }
        return lines
    }
}

extension AcceptancePlan.Absentee {
    fileprivate var line: String {
        switch cause {
        case .silent(let reason): "without the word of the agent at \(agent): \(reason)"
        case .foreign(let deployment): "without the word of the agent at \(agent), which is of another deployment, \(deployment)"
        }
    }
}

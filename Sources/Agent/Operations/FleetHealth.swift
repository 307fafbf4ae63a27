import AgentProtocol
import IssuerStore

extension FleetHealth {
    /// - Parameter isNaming: whether the caller may know which agents there are.
    init(_ standing: FleetStanding, destroyedKeysStop: Bool?, names isNaming: Bool) {
        self.init(
            revision: standing.revision, confirmedSecondsAgo: standing.confirmedSecondsAgo,
            signsForSeconds: standing.signsForSeconds, destroyedKeysStop: destroyedKeysStop,
            agents: isNaming ? standing.members.map(AgentHealth.init) : nil)
    }
}

extension AgentHealth {
    fileprivate init(_ member: FleetStanding.Member) {
        self.init(
            agent: member.member.id, host: member.member.host, release: member.member.release,
            present: member.isPresent, own: member.isOwn, staleAfterSeconds: member.member.staleness,
            revision: member.report?.revision, behind: member.report.map(\.isBehind), frontends: member.report?.frontends)
        let followers = member.report?.followers ?? []
        if !followers.isEmpty { followedBy = followers.map(FrontendHealth.init) }
    }
}

extension FrontendHealth {
    fileprivate init(_ frontend: FollowingFrontend) {
        self.init(
            pid: frontend.name.map { Int($0.pid) }, uid: frontend.name.map { Int($0.uid) }, user: frontend.name?.user,
            count: frontend.name == nil ? frontend.count : nil, staleAfterSeconds: frontend.staleAfter,
            unserved: frontend.unserved.sorted())
    }
}

extension FleetStanding {
    /// That its agents are of several releases, as while they are upgraded one after the other; `nil` when they are of one.
    var releases: String? {
        let present = members.filter(\.isPresent)
        let agents = Dictionary(grouping: present, by: \.member.release).mapValues { $0.map(\.member.id).sorted() }
        guard agents.count > 1 else { return nil }
        let listed = agents.sorted { $0.key < $1.key }.map { "\($0.key) on \($0.value.joined(separator: ", "))" }
        return "the agents of the fleet are of several releases (\(listed.joined(separator: "; "))): upgrade those that are left"
    }

    /// Whether the store has answered the last time.
    var isInTouch: Bool { trouble == nil && expulsion == nil }

    /// What is wrong, the gravest first.
    var problems: [HealthProblem] {
        var problems: [HealthProblem] = []
        if let expulsion {
            problems.append(
                HealthProblem(
                    component: "store", message: "nothing is signed any more: \(expulsion.message)", hint: expulsion.hint))
        } else if let trouble {
            let consequence =
                signsForSeconds > 0
                ? "signing goes on for \(signsForSeconds) s" : "nothing is signed until it confirms what this agent goes by"
            problems.append(
                HealthProblem(component: "store", message: "\(trouble.message); \(consequence)", hint: trouble.hint))
        }
        // While nothing answers, that is what is said.
        if trouble == nil {
            if let silence {
                problems.append(
                    HealthProblem(
                        component: "store",
                        message:
                            "the store can be read and takes nothing from this agent, neither a change nor that it is there: "
                            + silence.message, hint: silence.hint))
            }
            let others = remarks.filter { $0.message != silence?.message } + (slowness.map { [$0] } ?? [])
            problems += others.map { HealthProblem(component: "store", message: $0.message, hint: $0.hint) }
        }
        for (kid, error) in unusable.sorted(by: { $0.key < $1.key }) {
            problems.append(
                HealthProblem(
                    component: "hsm", message: "this agent cannot use the published key \(kid): \(error.message)",
                    hint: error.hint))
        }
        for member in members where !member.isOwn && !member.isPresent {
            problems.append(
                HealthProblem(
                    component: "fleet",
                    message: "agent \(member.member.id) (\(member.member.host)) has not said for 30 s that it is there",
                    hint: silence == nil
                        ? "look at it; one that was stopped for good is forgotten once it cannot sign any more"
                        : "see to the store first, which takes nothing from this agent and may take nothing from that one"))
        }
        return problems
    }
}

import AgentProtocol

/// What an agent's word does to what is served. Decided here, under one lock and from values alone, since several agents speak at once.
extension Publication {
    /// What became of an agent's word on an issuer.
    enum Taken: Sendable, Equatable {
        /// What is served is as it has said.
        case served(ServedIssuer)
        /// It has said less than is served, which stays. With one agent, a word that lacks no URL is taken all the same.
        case older(DiscoveryResult)
        /// Another agent has said that the issuer was deleted, and this one cannot know better yet.
        case ended
        /// The agent is of another deployment than what is served by now.
        case foreign
    }

    /// What became of an agent's not having an issuer.
    enum Absence: Sendable, Equatable {
        /// Nothing is served of it.
        case gone
        /// It goes on being served.
        case unexplained(DiscoveryResult)
        /// As of ``Taken``.
        case foreign
    }

    /// Whether one agent alone is followed. Its word is then taken for what there is, and not for one among several.
    var isSingle: Bool { agents.count < 2 }

    func isOwn(_ agent: Int) -> Bool {
        switch agents[agent].identity {
        case .unmet, .met(nil): true
        case .met(let deployment): deployment == self.deployment
        case .foreign: false
        }
    }

    // MARK: - Whose agent it is

    /// Takes note of whose agent is being followed, at the beginning of a connection.
    ///
    /// - Parameters:
    ///   - deployment: nil from an agent that does not say, which then counts as one of the deployment there was.
    ///   - namesIssuers: whether it has any.
    /// - Returns: whether its word counts for what is served.
    mutating func meet(_ deployment: String?, by agent: Int = 0, namesIssuers: Bool) -> Bool {
        guard let deployment else {
            agents[agent].begin(.met(deployment: nil))
            return true
        }
        // Where nothing is served nothing can be lost; and documents that were kept without saying whose they are belong to
        // whoever has issuers. But no agent takes over what another one speaks for.
        let isFree =
            results.values.allSatisfy { $0.urls.isEmpty } || self.deployment == nil && namesIssuers
        guard deployment == self.deployment || isFree && !isSpokenFor(byOthersThan: agent) else {
            agents[agent].begin(.foreign(deployment: deployment))
            return false
        }
        take(deployment, by: agent)
        return true
    }

    /// What is served belongs to this deployment from now on.
    mutating func take(_ deployment: String, by agent: Int = 0) {
        agents[agent].begin(.met(deployment: deployment))
        guard self.deployment != deployment else { return }
        self.deployment = deployment
        ended = [:]
        revision += 1
    }

    private func isSpokenFor(byOthersThan agent: Int) -> Bool {
        guard let deployment else { return false }
        return agents.indices.contains { $0 != agent && agents[$0].identity == .met(deployment: deployment) }
    }

    // MARK: - What it says of an issuer

    /// Takes an agent's word on an issuer. `time` is that of the wall clock.
    mutating func take(_ result: DiscoveryResult, from agent: Int, at time: Moment) -> Taken {
        guard isOwn(agent) else { return .foreign }
        let issuer = result.issuer
        agents[agent].refused.remove(issuer)
        let former = results[issuer]
        if let former, result.generation < former.generation, !isSingle || !former.urls(lostWith: result).isEmpty {
            agents[agent].lag(.behind, issuer)
            return .older(former)
        }
        if former == nil, let ending = ended[issuer], result.generation <= ending.generation, !isLater(agent, than: ending) {
            agents[agent].heldBack.insert(issuer)
            return .ended
        }
        // Agents whose clocks are apart name the same documents; the one of the future has left out what it takes for past.
        let isPremature =
            former.map { !isSingle && $0.generation == result.generation && result.isAhead(of: time) && !$0.isAhead(of: time) }
            ?? false
        if !isPremature { apply(result) }
        ended[issuer] = nil
        agents[agent].vouch(issuer)
        if former?.generation != result.generation { tellOthers(than: agent, of: issuer, isNew: former == nil) }
        return .served(ServedIssuer(results[issuer] ?? result))
    }

    /// Takes it that an agent has no such issuer.
    ///
    /// - Parameters:
    ///   - deletedAt: the generation at which it was deleted, where the agent knows that; nil otherwise.
    ///   - uptime: nanoseconds of the clock that nobody sets.
    mutating func takeAbsence(of issuer: String, deletedAt: Int?, from agent: Int, at uptime: Int64) -> Absence {
        guard isOwn(agent) else { return .foreign }
        agents[agent].refused.remove(issuer)
        guard let served = results[issuer] else {
            agents[agent].forget(issuer)
            if let deletedAt { end(issuer, deletedAt, uptime) }
            return .gone
        }
        if let deletedAt, deletedAt >= served.generation {
            drop(issuer)
            end(issuer, deletedAt, uptime)
            return .gone
        }
        // With no URL of it, nothing is lost.
        if served.urls.isEmpty, !agents.indices.contains(where: { $0 != agent && agents[$0].vouched.contains(issuer) }) {
            drop(issuer)
            return .gone
        }
        agents[agent].lag(.unnamed, issuer)
        return .unexplained(served)
    }

    /// Takes an agent's notice that an issuer was deleted at this generation.
    ///
    /// - Returns: false where that was an earlier one of its name, and the agent is to be asked.
    mutating func takeDeletion(of issuer: String, at generation: Int, from agent: Int, at uptime: Int64) -> Bool {
        guard isOwn(agent) else { return false }
        // One agent alone says what there is.
        guard isSingle || generation >= results[issuer]?.generation ?? 0 else { return false }
        agents[agent].refused.remove(issuer)
        drop(issuer)
        end(issuer, generation, uptime)
        return true
    }

    /// The agent would not hand the issuer's documents out, or not in a form that can be served.
    ///
    /// - Returns: whether that is news.
    mutating func refuse(_ issuer: String, by agent: Int) -> Bool {
        agents[agent].doNotVouch(issuer)
        return agents[agent].refused.insert(issuer).inserted
    }

    /// The agent has the issuer in quarantine: what is served is to stay as it is.
    mutating func abstain(_ issuer: String, by agent: Int) {
        agents[agent].refused.remove(issuer)
        agents[agent].abstain(issuer)
    }

    /// Gives up an issuer whose loss was accepted: any agent's word on it is taken now, a lower generation too.
    mutating func giveUp(_ issuer: String, askedBy agent: Int) {
        drop(issuer)
        ended[issuer] = nil
        // In doubt until that agent has said what it knows of it.
        agents[agent].lag(.unnamed, issuer)
        for other in agents.indices where other != agent { agents[other].ask(issuer) }
    }

    private mutating func tellOthers(than agent: Int, of issuer: String, isNew: Bool) {
        for other in agents.indices where other != agent && isOwn(other) { agents[other].fallBehind(issuer, isNew: isNew) }
    }

    private mutating func end(_ issuer: String, _ generation: Int, _ uptime: Int64) {
        // Of an agent that is followed alone nobody else can say otherwise.
        guard !isSingle, ended[issuer].map({ $0.generation < generation }) ?? true else { return }
        ended[issuer] = Ending(generation: generation, heardAt: uptime)
    }

    /// Whether a shared store has confirmed the agent's view since the end was heard of. Then the store itself has gone back.
    private func isLater(_ agent: Int, than ending: Ending) -> Bool {
        agents[agent].isShared && agents[agent].asOf.map { $0 > ending.heardAt } ?? false
    }

    // MARK: - How far its word goes

    /// Everything that the agent has told of until now is taken: what is served counts as confirmed as of that, unless it may know
    /// better than what it has said, or something is served that nobody vouches for.
    mutating func hearOut(_ agent: Int, at time: Moment, uptime: Int64) {
        guard isOwn(agent) else { return }
        agents[agent].speak(at: uptime)
        let wasShared = isShared
        isShared = agents.indices.contains { isOwn($0) && agents[$0].isShared }
        if wasShared != isShared { asOf = nil }
        guard agents[agent].refused.isEmpty, var word = agents[agent].asOf else { return }
        for issuer in agents[agent].lagging.keys {
            guard let other = latestVoucher(for: issuer) else { return }
            word = min(word, other)
        }
        guard isShared else { return confirmedAt = time.wireTime }
        guard asOf.map({ $0 < word }) ?? true else { return }
        asOf = word
        confirmedAt = WireTime(seconds: time.seconds - Freshness.seconds(from: word, to: uptime))
        // No agent can list what had ended before its view was confirmed.
        let oldest = agents.indices.filter(isOwn).map { agents[$0].isShared ? agents[$0].asOf ?? .min : .min }.min() ?? .min
        ended = ended.filter { $0.value.heardAt >= oldest }
    }

    private func latestVoucher(for issuer: String) -> Int64? {
        agents.indices.lazy.filter { isOwn($0) && agents[$0].vouched.contains(issuer) }.compactMap { agents[$0].asOf }.max()
    }
}

extension ServedIssuer {
    init(_ result: DiscoveryResult) {
        self.init(name: result.issuer, generation: result.generation, urls: result.urls.count)
    }
}

extension DiscoveryResult {
    /// Clocks that are apart by less are not worth a word.
    private static let clockTolerance: Int64 = 60

    /// Whether it was said by a clock that is ahead of this one.
    fileprivate func isAhead(of time: Moment) -> Bool {
        dataTimestamp.seconds > time.seconds + Self.clockTolerance
    }
}

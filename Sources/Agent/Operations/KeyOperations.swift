import AgentProtocol
import KeyLifecycle

/// `list-keys`.
struct ListKeys: Operation {
    let registry: IssuerRegistry
    let custody: any KeyCustody
    let visibility: Visibility

    func issuer(of parameters: ListKeysParameters) -> String? { parameters.issuer }

    func run(_ admission: Admission<ListKeysParameters>, _ context: OperationContext) async throws -> KeyList {
        let parameters = admission.parameters
        let issuers =
            if let name = parameters.issuer {
                [try await registry.issuer(named: name)]
            } else {
                await registry.allIssuers.filter { visibility.shows($0.name.text, to: context, by: .listKeys) }
            }
        // A place in the order of issuers and then of making, which stays while keys are added.
        let keys = issuers.flatMap { issuer in
            issuer.ring.keys.enumerated().map { number, key in
                (place: Self.place(issuer.name, number), issuer: issuer.name, key: key)
            }
        }
        let page = try Page(keys, parameters) { $0.place }
        // What the token says about them just now; a token that cannot be asked leaves it out.
        let attributes = await custody.attributes(of: page.entries.map(\.key).filter(\.state.isPublished).map(\.keyID))
        let views = try page.entries.map { _, issuer, key in
            try KeyView(key, of: issuer, custody: attributes[key.keyID].map { CustodyView($0, keyID: key.keyID) })
        }
        return KeyList(keys: views, nextCursor: page.nextCursor)
    }

    private static func place(_ issuer: IssuerName, _ number: Int) -> String {
        let digits = String(number)
        // "/" sorts before every character of a name but the hyphen, so names are padded to compare as wholes.
        return issuer.text.padded(to: 63) + "/" + String(repeating: "0", count: max(10 - digits.count, 0)) + digits
    }
}

extension String {
    fileprivate func padded(to length: Int) -> String {
        self + String(repeating: " ", count: max(length - utf8.count, 0))
    }
}

/// `rotate`.
struct Rotate: ChangeOperation {
    let registry: IssuerRegistry
    let hsm: HSM
    let audit: AuditLog

    func issuer(of parameters: RotateParameters) -> String? { parameters.issuer }

    func isDryRun(_ parameters: RotateParameters) -> Bool { parameters.dryRun ?? false }

    func check(_ parameters: RotateParameters, _ context: OperationContext) async throws(ProtocolError) {
        guard parameters.cancel == true, parameters.whenSafe == true || parameters.noRevoke == true else { return }
        throw ProtocolError(
            .invalidParams, "\"cancel\" is given with \"whenSafe\" or \"noRevoke\"", hint: "give it alone, or leave it out")
    }

    func complete(_ record: inout AuditRecord, with result: RotationResult) {
        record.kid = result.activeKid
        record.effect = result.plan.signsFrom != nil ? "waits" : result.plan.incoming == nil ? "cancelled" : nil
        record.revoked = result.plan.revoked
    }

    func run(_ admission: Admission<RotateParameters>, _ context: OperationContext) async throws -> RotationResult {
        let parameters = admission.parameters
        let order: RotationOrder =
            parameters.cancel == true
            ? .cancel(ifGeneration: parameters.ifGeneration)
            : .rotate(
                ifGeneration: parameters.ifGeneration, whenSafe: parameters.whenSafe ?? false,
                revokes: parameters.noRevoke != true)
        return RotationResult(
            try await registry.rotate(parameters.issuer, order, dryRun: parameters.dryRun ?? false),
            destroyedKeysStop: hsm.destroyedKeysStop)
    }

    func replied(_ result: RotationResult, _ context: OperationContext) {
        if !result.dryRun { audit.signHeadSoon() }
    }
}

/// `revoke-key`.
struct RevokeKey: ChangeOperation {
    let registry: IssuerRegistry
    let hsm: HSM
    let audit: AuditLog
    let visibility: Visibility

    func kid(of parameters: RevokeKeyParameters) -> String? { parameters.kid }

    func isDryRun(_ parameters: RevokeKeyParameters) -> Bool { parameters.dryRun ?? false }

    func complete(_ record: inout AuditRecord, with result: RotationResult) {
        record.issuer = result.issuer
        record.revoked = result.plan.revoked
    }

    func check(_ parameters: RevokeKeyParameters, _ context: OperationContext) async throws(ProtocolError) {
        // A key of an issuer that the caller may not touch is, for this caller, none. Both are looked for in the same way and
        // refused here, before anything is recorded as attempted: the time of a refusal does not tell them apart either.
        let name = await registry.issuerName(ofKey: parameters.kid)
        let isShown = visibility.shows(name?.text ?? "", to: context, by: .revokeKey)
        guard name != nil, isShown else { throw ProtocolError(LifecycleError.keyNotFound(parameters.kid)) }
    }

    func run(_ admission: Admission<RevokeKeyParameters>, _ context: OperationContext) async throws -> RotationResult {
        let parameters = admission.parameters
        if let key = await registry.quarantinedKey(named: parameters.kid) {
            return RotationResult(try await registry.revoke(key, dryRun: parameters.dryRun ?? false))
        }
        return RotationResult(
            try await registry.revoke(
                parameters.kid, ifGeneration: parameters.ifGeneration, dryRun: parameters.dryRun ?? false),
            destroyedKeysStop: hsm.destroyedKeysStop)
    }

    func replied(_ result: RotationResult, _ context: OperationContext) {
        if !result.dryRun { audit.signHeadSoon() }
    }
}

/// `reconcile`: brings token and store together, or with `dryRun` says what that would do.
public struct ReconcileParameters: RequestParameters {
    public typealias Result = ReconcileResult
    public static let method = Method.reconcile
    public static let memberNames = CodingKeys.allCases.map(\.rawValue)

    public var dryRun: Bool?

    public init(dryRun: Bool? = nil) {
        self.dryRun = dryRun
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case dryRun
    }
}

/// A token and a store put side by side.
public struct ReconcileResult: ChangeResult, Equatable {
    public var dryRun: Bool
    public var token: ReconciledToken
    /// When the store was copied, for a copy that nobody has decided about yet.
    public var storeCopiedAt: WireTime?
    /// Issuers that do nothing until an operator has decided about them.
    public var quarantinedIssuers: [QuarantinedIssuerView]
    /// What is to be done, or was done.
    public var actions: [ReconciliationAction]
    /// What is only reported: nothing of it is ever touched.
    public var findings: [ReconciliationFinding]
    /// Findings there are beyond those listed.
    public var omittedFindings: Int
    /// Private keys by the deployment that their label names.
    public var otherDeployments: [DeploymentCount]
    /// Key objects without `CKA_ID`, such as an interrupted generation leaves: nobody's.
    public var objectsWithoutID: Int
    /// Key objects that are somebody else's.
    public var foreignObjects: Int
    public var warnings: [String]

    public init(
        dryRun: Bool, token: ReconciledToken, storeCopiedAt: WireTime?, quarantinedIssuers: [QuarantinedIssuerView],
        actions: [ReconciliationAction], findings: [ReconciliationFinding], omittedFindings: Int,
        otherDeployments: [DeploymentCount], objectsWithoutID: Int, foreignObjects: Int,
        warnings: [String] = []
    ) {
        self.dryRun = dryRun
        self.token = token
        self.storeCopiedAt = storeCopiedAt
        self.quarantinedIssuers = quarantinedIssuers
        self.actions = actions
        self.findings = findings
        self.omittedFindings = omittedFindings
        self.otherDeployments = otherDeployments
        self.objectsWithoutID = objectsWithoutID
        self.foreignObjects = foreignObjects
        self.warnings = warnings
    }
}

/// The token in use, and the one that last had the store's keys.
public struct ReconciledToken: Codable, Sendable, Equatable {
    public var label: String
    public var serial: String
    /// Whether it shows a key of the store.
    public var proven: Bool
    /// The token that showed a key of the store the last time; absent before the first time.
    public var lastLabel: String?
    public var lastSerial: String?

    public init(label: String, serial: String, proven: Bool, lastLabel: String?, lastSerial: String?) {
        self.label = label
        self.serial = serial
        self.proven = proven
        self.lastLabel = lastLabel
        self.lastSerial = lastSerial
    }
}

public struct QuarantinedIssuerView: Codable, Sendable, Equatable {
    public var issuer: String
    public var reason: String

    public init(issuer: String, reason: String) {
        self.issuer = issuer
        self.reason = reason
    }
}

/// One step for one key pair.
public struct ReconciliationAction: Codable, Sendable, Equatable {
    /// `adopt`: a key whose generation was cut off becomes the standby key; `bury`: it is not there and leaves a tombstone;
    /// `abandon`: it is there and not wanted, so it is to be destroyed; `destroy`; `conclude`: a key that was to be destroyed
    /// is gone. A client must expect others.
    public var action: String
    public var issuer: String
    /// `CKA_ID`, lower-case hexadecimal.
    public var keyID: String
    /// Whether it was carried out.
    public var done: Bool
    /// Why it was not, if it was tried.
    public var error: String?

    public init(action: String, issuer: String, keyID: String, done: Bool, error: String?) {
        self.action = action
        self.issuer = issuer
        self.keyID = keyID
        self.done = done
        self.error = error
    }
}

/// A key pair that is worth a word and no action.
public struct ReconciliationFinding: Codable, Sendable, Equatable {
    /// `missing`: a published key whose private half the token does not show; `unknown`: a key pair of this deployment that
    /// the store has never heard of; `quarantined`: one that an operator can have destroyed with `revoke-key`; `tombstone`: a
    /// generation that was given up; `waiting`: a key to be destroyed that is not on this token, or cannot be told to be;
    /// `differs`: another key pair under the `CKA_ID` of one to be destroyed. A client must expect others.
    public var finding: String
    public var issuer: String
    /// `CKA_ID`, lower-case hexadecimal.
    public var keyID: String
    /// Absent when no public key is known.
    public var kid: String?
    /// Of a missing key: `standby`, `active` or `retiring`.
    public var state: String?

    public init(finding: String, issuer: String, keyID: String, kid: String? = nil, state: String? = nil) {
        self.finding = finding
        self.issuer = issuer
        self.keyID = keyID
        self.kid = kid
        self.state = state
    }
}

public struct DeploymentCount: Codable, Sendable, Equatable {
    public var deployment: String
    public var keys: Int

    public init(deployment: String, keys: Int) {
        self.deployment = deployment
        self.keys = keys
    }
}

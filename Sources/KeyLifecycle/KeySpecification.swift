/// What a key to be generated is to be.
public struct KeySpecification: Hashable, Sendable, CustomStringConvertible {
    public let algorithm: SignatureAlgorithm
    /// The length of the modulus in bits; `nil` for an algorithm whose keys have one length only.
    public let rsaBits: Int?

    /// - Parameter rsaBits: counts for RSA only, and is `nil` otherwise.
    public init(_ algorithm: SignatureAlgorithm, rsaBits: Int?) {
        self.algorithm = algorithm
        self.rsaBits = algorithm.isRSA ? rsaBits : nil
    }

    /// `ES256`, or `RS256 with 3072 bits`.
    public var description: String {
        rsaBits.map { "\(algorithm.rawValue) with \($0) bits" } ?? algorithm.rawValue
    }
}

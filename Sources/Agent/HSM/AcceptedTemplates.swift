import KeyLifecycle
import PKCS11
import Platform

/// One way of asking a token for a key pair.
struct KeyTemplateChoice: Hashable, Sendable {
    let algorithm: KeyPairAlgorithm
    let usages: UsageFlags
}

/// The way in which a token last took a template for a key that was then found to be held as it should be. It is the first
/// to be tried the next time: a refused template can cost the token something, as it costs tpm2-pkcs11 two of the few
/// objects that a TPM has room for.
final class AcceptedTemplates: Sendable {
    private let choices = Locked<[KeySpecification: KeyTemplateChoice]>([:])

    func last(for specification: KeySpecification) -> KeyTemplateChoice? {
        choices.withLock { choices in
            // That a token refuses to hear of a usage is said of one algorithm, and is so for all.
            choices[specification]
                ?? choices.values.first { $0.usages == .allowedOnly }.flatMap { choice in
                    specification.keyPairs.first.map { KeyTemplateChoice(algorithm: $0, usages: choice.usages) }
                }
        }
    }

    func note(_ choice: KeyTemplateChoice, for specification: KeySpecification) {
        choices.withLock { $0[specification] = choice }
    }
}

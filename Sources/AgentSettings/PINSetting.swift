package import Agent
import DaemonKit
import PKCS11
package import Platform

/// Where the configuration says the PIN is.
package enum PINSetting: Equatable {
    /// A file that its owner alone can read.
    case file(String)
    /// A credential of the systemd unit, by name.
    case credential(String)
    /// An environment variable, by name.
    case environment(String)

    /// - Throws: `ConfigurationError` unless exactly one place is named.
    init(_ token: AgentFile.Token, _ yaml: StrictYAML) throws {
        let named = [
            token.pinFile.map(PINSetting.file), token.pinCredential.map(PINSetting.credential),
            token.pinEnvironment.map(PINSetting.environment),
        ].compactMap(\.self)
        guard let only = named.first, named.count == 1 else {
            throw yaml.invalidValue(
                at: ["token"],
                named.isEmpty ? "token does not say where the PIN is" : "token says more than one place for the PIN",
                hint: "give one of pinFile, pinCredential and pinEnvironment")
        }
        self = only
    }

    /// Takes the PIN out of the environment, where that is its place.
    ///
    /// To be called once, before other threads read the environment.
    /// - Throws: `PlatformError` when the variable is not set or empty.
    package func source() throws(PlatformError) -> PINSource {
        switch self {
        case .file(let path):
            return PINSource(identity: { try FileIdentity.of(path) }) {
                try Self.pin(SecretFile.read(path: path))
            }
        case .credential(let name):
            // Its file is another at each start of the unit, so that says nothing of the PIN.
            return PINSource(identity: { "credential \(name)" }, correction: Self.correction) {
                try Self.pin(SystemdCredential.read(name))
            }
        case .environment(let name):
            let pin = try Self.pin(EnvironmentSecret.take(name))
            return PINSource(identity: { "environment variable \(name)" }, correction: Self.correction) { pin }
        }
    }

    /// What there is to be said of it when an agent starts.
    package var remark: StartRemark? {
        guard case .file(let path) = self else { return nil }
        return SecretFile.remark(on: path)
    }

    private static let correction = "correct the PIN, say so with: privyseald token pin-corrected, and start the agent again"

    private static func pin(_ bytes: consuming [UInt8]) -> PIN {
        PIN(wiping: &bytes)
    }
}

import ArgumentParser
import DaemonKit
import Platform
import TokenProvisioning

/// `privyseald token`
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Prepare PKCS#11 tokens: initialise, list, change PINs.",
        discussion: """
            These commands run beside the agent, not in it: they set a token up once and exit. PINs are read from files that \
            only their owner can read, never from the command line.
            """,
        subcommands: [
            TokenInitCommand.self, TokenListCommand.self, TokenChangePINCommand.self, TokenPINCorrectedCommand.self,
            FenceTestCommand.self,
        ])
}

/// Which module the token commands use.
struct ModuleOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The PKCS#11 module.", valueName: "path"))
    var module = "/usr/lib/softhsm/libsofthsm2.so"

    func run(_ work: (TokenProvisioner) throws -> Void) throws {
        do {
            try FileTrust.checkFile(module, "the PKCS#11 module")
            try work(TokenProvisioner(modulePath: module))
        } catch let error as ProvisioningError {
            try StartupFailure(what: error.message, todo: error.hint ?? "check the module and the token").end()
        } catch let error as PlatformError {
            try StartupFailure(error).end()
        }
    }
}

/// `privyseald token init`
struct TokenInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Initialise a token and set its user PIN.",
        discussion: """
            Example:
              privyseald token init --label privyseal --so-pin-file so-pin --pin-file pin
            """)

    @OptionGroup var module: ModuleOption

    @Option(name: .long, help: "The token's label, at most 32 bytes.")
    var label: String

    @Option(name: .long, help: "The slot; the first one with an uninitialised token unless given.")
    var slot: UInt?

    @Option(name: .long, help: ArgumentHelp("A file with the security officer's PIN.", valueName: "file"))
    var soPinFile: String

    @Option(name: .long, help: ArgumentHelp("A file with the user PIN, the one the agent logs in with.", valueName: "file"))
    var pinFile: String

    @Flag(name: .long, help: "Initialise the token in the named slot anew: everything on it is lost.")
    var force = false

    func run() throws {
        try module.run { provisioner in
            let slot = try provisioner.initialize(
                slot: slot, label: label, securityOfficerPIN: TokenPIN(SecretFile.read(path: soPinFile)),
                userPIN: TokenPIN(SecretFile.read(path: pinFile)), force: force)
            print("initialised token \"\(label)\" in slot \(slot.id)")
        }
    }
}

/// `privyseald token list`
struct TokenListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List slots and their tokens.")

    @OptionGroup var module: ModuleOption

    func run() throws {
        try module.run { provisioner in
            var rows = [["SLOT", "LABEL", "MANUFACTURER", "MODEL", "SERIAL", "STATE"]]
            for slot in try provisioner.slots() {
                guard let token = slot.token else {
                    rows.append(["\(slot.id)", "-", "-", "-", "-", "no token"])
                    continue
                }
                rows.append(["\(slot.id)", token.label, token.manufacturerID, token.model, token.serialNumber, token.state])
            }
            print(Self.aligned(rows))
        }
    }

    private static func aligned(_ rows: [[String]]) -> String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}

extension ProvisioningSlot.Token {
    fileprivate var state: String {
        if !isInitialized { return "uninitialised" }
        if isUserPINLocked { return "user PIN locked" }
        if !isUserPINSet { return "no user PIN" }
        return isWriteProtected ? "write-protected" : "ready"
    }
}

/// `privyseald token change-pin`
struct TokenChangePINCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "change-pin",
        abstract: "Change a PIN of a token.",
        discussion: """
            Changes the user PIN; with --so-pin-file instead of --pin-file, the security officer sets a new user PIN, which \
            also unlocks a locked one.
            """)

    @OptionGroup var module: ModuleOption

    @Option(name: .long, help: "The token's label.")
    var label: String

    @Option(name: .long, help: ArgumentHelp("A file with the present user PIN.", valueName: "file"))
    var pinFile: String?

    @Option(name: .long, help: ArgumentHelp("A file with the security officer's PIN.", valueName: "file"))
    var soPinFile: String?

    @Option(name: .long, help: ArgumentHelp("A file with the new user PIN.", valueName: "file"))
    var newPinFile: String

    func validate() throws {
        guard (pinFile == nil) != (soPinFile == nil) else {
            throw ValidationError("give either --pin-file or --so-pin-file")
        }
    }

    func run() throws {
        try module.run { provisioner in
            let new = try TokenPIN(SecretFile.read(path: newPinFile))
            if let soPinFile {
                try provisioner.setUserPIN(
                    of: .label(label), securityOfficerPIN: TokenPIN(SecretFile.read(path: soPinFile)), userPIN: new)
            } else if let pinFile {
                try provisioner.changeUserPIN(
                    of: .label(label), from: TokenPIN(SecretFile.read(path: pinFile)), to: new)
            }
            print("changed the user PIN of token \"\(label)\"")
        }
    }
}

import Foundation
import ProcessSupport
import SoftHSMSupport
import TLSSupport
import Testing

@Suite("A pod", .enabled(if: geteuid() == 0, "mount namespaces are root's to make"))
struct PodTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/containers.md").standardizedFileURL

    /// A file of the ConfigMap in `docs/containers.md`, with the paths of this machine in it; and with another line for the volumes.
    private static func configuration(_ name: String, _ pod: Pod, trusted: String? = nil) throws -> String {
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
        let indent = "    "
        let start = try #require(lines.firstIndex(of: "  \(name): |"))
        let own = lines[(start + 1)...].prefix { $0.hasPrefix(indent) }.map { line in
            line.hasPrefix(indent + "trustedDirectories:") ? trusted ?? String(line.dropFirst(4)) : String(line.dropFirst(4))
        }
        return [
            ("pkcs11:token=privyseal", pod.site.token.tokenURI), ("/usr/lib/softhsm/libsofthsm2.so", pod.site.token.modulePath),
            ("8443", "\(pod.site.port)"), ("oidc.example.com", "127.0.0.1:\(pod.site.port)"), ("0.0.0.0", "127.0.0.1"),
            ("/run/secrets/privyseal", "\(pod.mounted)/secret"), ("/run/secrets/tls", "\(pod.mounted)/tls"),
            ("/var/lib/privyseal-issuer", "\(pod.mounted)/cache"), ("/var/lib/privyseal", "\(pod.mounted)/data"),
            ("/run/privyseal", "\(pod.mounted)/run"),
        ].reduce(own.joined(separator: "\n") + "\n") { $0.replacing($1.0, with: $1.1) }
    }

    private func withPod(_ body: (Pod, _ start: (Pod.Container) async throws -> Daemon) async throws -> Void) async throws {
        try await Installation.with { site in
            let pod = Pod(site: site)
            let certificate = try await TestCertificate.make(in: site.directory)
            try site.writeIssuerConfiguration(tls: certificate)
            try await pod.make()
            try await pod.write("agent.yaml", of: .agent, Self.configuration("agent.yaml", pod))
            try await pod.write("issuer.yaml", of: .frontend, Self.configuration("issuer.yaml", pod))
            _ = try await pod.run(.agent, "privyseald", ["init", "--config", "\(pod.mounted)/etc/agent.yaml"])
                .output(of: ["privyseald", "init"])
            try await body(pod) { container in
                let (program, file) = container == .agent ? ("privyseald", "agent") : ("privyseal-issuer", "issuer")
                let command = ["serve", "--config", "\(pod.mounted)/etc/\(file).yaml"]
                return try site.start(at: "/bin/sh", pod.arguments(container, program, command))
            }
        }
    }

    private func agentAnswers(_ pod: Pod, _ agent: Daemon) async throws {
        let answers = await poll("the agent") {
            guard agent.process.isRunning else { return true }
            return try await pod.run(.agent, "privyseal", ["health"]).status == 0
        }
        try #require(answers && agent.process.isRunning, "\(agent.text)")
    }

    @Test(
        "with its configuration in ConfigMaps, secrets in Secrets, the socket and the cache in emptyDirs and the store in a claim signs, serves and comes back"
    )
    func serves() async throws {
        try await withPod { pod, start in
            var agent = try await start(.agent)
            try await agentAnswers(pod, agent)
            for said in ["\(pod.mounted)/run: mode 2777", "\(pod.mounted)/data: mode 2775", "secret/pin has mode 0440"] {
                #expect(agent.text.contains(said), "\(agent.text)")
            }
            let frontend = try await start(.frontend)
            let trust = ["--cacert", pod.site.directory + "/server.pem"]
            try #require(
                await poll("the frontend") { try await pod.site.get("/healthz", trust).status == 200 }, "\(frontend.text)")
            for said in ["\(pod.mounted)/cache: mode 2777", "tls/tls.key has mode 0440"] {
                #expect(frontend.text.contains(said), "\(frontend.text)")
            }
            func operate(_ arguments: String...) async throws -> String {
                try await pod.run(.agent, "privyseal", arguments).output(of: arguments)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
            }
            _ = try await operate("issuer", "create", "payments", "--algorithm", "ES256", "--enable-oidc-issuer")
            let url = try await operate("issuer", "show", "payments", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            #expect(await poll("the key set") { try await pod.site.get(url + "openid/v1/jwks", trust).status == 200 })
            let issue = ["jwt", "issue", "payments", "--subject", "s", "--audience", "a"]
            #expect(try await pod.run(.client, "privyseal", issue).output(of: issue).contains("."))
            #expect(try await pod.run(.client, "privyseal", ["rotate", "payments", "--yes"]).status == 1)
            #expect(await agent.end() == 0)
            // Its files are the group's to write from here on, as a claim's are at a pod's next start.
            try await pod.changeOwnership()
            agent = try await start(.agent)
            try await agentAnswers(pod, agent)
            #expect(try await pod.run(.client, "privyseal", issue).output(of: issue).contains("."))
            #expect(try await operate("issuer", "list", "-o", "json").contains("payments"))
        }
    }

    private struct Fault: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var container = Pod.Container.agent
        /// In place of the line that names the volumes; `POD` is where they are mounted.
        var trusted: String?
        var variation = Pod.Variation()
        let said: [String]
    }

    private static let faults: [Fault] = [
        Fault(
            testDescription: "its configuration in a volume that can be written",
            variation: Pod.Variation(finally: "mount -o remount,bind,rw POD/etc"),
            said: ["everybody can replace the file", "POD/etc has mode 2777", "mount its volume read-only"]),
        Fault(
            testDescription: "its configuration read-only here alone, as under ProtectSystem=strict",
            // The mounts that these are copies of have to go on: who began them waits.
            variation: Pod.Variation(
                namespace: "exec unshare -m --propagation private /bin/sh -c 'mount --make-rshared /; "
                    + "unshare -m --propagation slave \"$@\"; exit $?' sh"),
            said: ["everybody can replace the file", "POD/etc has mode 2777"]),
        Fault(
            testDescription: "the socket's volume not named", trusted: "trustedDirectories: [POD/data]",
            said: ["the socket's directory POD/run has mode 2777", "trustedDirectories: [POD/run]"]),
        Fault(
            testDescription: "the store's volume not named", trusted: "trustedDirectories: [POD/run]",
            said: ["the store's directory POD/data has mode 2775", "trustedDirectories: [POD/data]"]),
        Fault(
            testDescription: "the cache's volume not named", container: .frontend, trusted: "",
            said: ["the cache directory POD/cache has mode 2777", "trustedDirectories: [POD/cache]"]),
        Fault(
            testDescription: "a PIN whose group has another member",
            variation: Pod.Variation(
                finally: "echo 'pod:x:20001:nobody' > POD/data/group; mount --bind POD/data/group /etc/group"),
            said: ["secret/pin has mode 0440, so others than its owner can reach the secret", "defaultMode: 0400"]),
        Fault(
            testDescription: "a PIN that everybody can read",
            variation: Pod.Variation(
                finally: "mount -o remount,bind,rw POD/secret; chmod 0444 POD/secret/..1/pin; mount -o remount,bind,ro POD/secret"
            ),
            said: ["secret/pin has mode 0444, so others than its owner can reach the secret", "defaultMode: 0400"]),
        Fault(
            testDescription: "a relative path", trusted: "trustedDirectories: [POD/run, run]",
            said: ["agent.yaml:5:", "\"run\" is not an absolute path", "write the whole path of a volume"]),
        Fault(
            testDescription: "no path", container: .frontend, trusted: "trustedDirectories:",
            said: ["issuer.yaml:5:20: trustedDirectories has no value", "write directories below it"]),
        // The last one: the volume stays so.
        Fault(
            testDescription: "a volume of another user's", variation: Pod.Variation(finally: "chown 4242 POD/data"),
            said: ["trustedDirectories names POD/data, which is not trusted all the same: it belongs to uid 4242", "error: "]),
    ]

    @Test(
        "that is not so is refused with one line of what and one of what is possible there, and one that names too much is warned"
    )
    func faults() async throws {
        try await withPod { pod, start in
            func check(_ fault: Fault) async throws -> Programs.Outcome {
                func placed(_ text: String) -> String { text.replacing("POD", with: pod.mounted) }
                let trusted = fault.trusted.map(placed)
                if fault.container == .agent {
                    try await pod.write("agent.yaml", of: .agent, Self.configuration("agent.yaml", pod, trusted: trusted))
                } else {
                    try await pod.write("issuer.yaml", of: .frontend, Self.configuration("issuer.yaml", pod, trusted: trusted))
                }
                let (program, file) = fault.container == .agent ? ("privyseald", "agent") : ("privyseal-issuer", "issuer")
                var variation = fault.variation
                variation.finally = placed(variation.finally)
                variation.namespace = placed(variation.namespace)
                let outcome = try await pod.run(
                    fault.container, program, ["check", "--config", "\(pod.mounted)/etc/\(file).yaml"], variation)
                for said in fault.said {
                    #expect(
                        (outcome.output + outcome.errors).contains(placed(said)), "\(fault): \(outcome.output)\(outcome.errors)")
                }
                return outcome
            }
            let agent = try await start(.agent)
            try await agentAnswers(pod, agent)
            #expect(await agent.end() == 0)
            for fault in Self.faults {
                let outcome = try await check(fault)
                #expect(outcome.status != 0, "\(fault.testDescription)")
                #expect(outcome.errors.contains("hint: "), "\(fault.testDescription): \(outcome.errors)")
            }
            let good = try await check(
                Fault(
                    testDescription: "as it is to be", trusted: "trustedDirectories: [POD/run, POD/data, POD/etc, /usr]",
                    variation: Pod.Variation(finally: "chown 0 POD/data"),
                    said: [
                        "note: trustedDirectories names POD/run: mode 2777",
                        "note: the secret POD/secret/pin has mode 0440",
                        "warning: trustedDirectories names POD/etc, which needs no trust: it is read-only",
                        "warning: trustedDirectories names /usr, which needs no trust: mode 0755",
                    ]))
            #expect(good.status == 0, "\(good.errors)")
        }
    }
}

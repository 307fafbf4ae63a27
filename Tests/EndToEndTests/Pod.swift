import Foundation
import SoftHSMSupport
import Testing

/// The layout of a pod, made with mount namespaces as a container runtime makes it: volumes that are root's and open to everybody
/// by their mode, each to be reached in the containers alone that mount it.
///
/// Below `kubelet`, which root alone enters, lies what the node keeps; below `pod`, where containers have it.
struct Pod {
    let site: Installation
    /// Whose group the volumes are, and every container's.
    static let group = 20_001
    private var node: String { site.directory + "/kubelet" }
    var mounted: String { site.directory + "/pod" }
    private var tokens: String { site.directory + "/tokens" }

    /// One of its containers.
    enum Container: Int {
        case agent = 10_001
        case frontend
        case client
    }

    /// What differs from the pod that works.
    struct Variation {
        /// Shell commands that run in the container's mount namespace at the end, before privileges are given up.
        var finally = ""
        /// Shell commands around the namespace; the container's follows.
        var namespace = "exec unshare -m --propagation private"
    }

    /// Makes the volumes, and a token that lies in one of them.
    func make() async throws {
        try await shell(
            """
            chmod 0755 \(site.directory); mkdir -m 0750 \(node); mkdir \(mounted)
            for volume in config-agent config-issuer run data cache; do mkdir \(node)/$volume; done
            for point in etc secret tls run data cache; do mkdir \(mounted)/$point; done
            chmod 2777 \(node)/*; chgrp \(Self.group) \(node)/*
            chmod 2775 \(node)/data
            """)
        try await changeOwnership()
    }

    /// What kubelet does with a persistent volume at each start of a pod, unless `fsGroupChangePolicy` is `OnRootMismatch`.
    func changeOwnership() async throws {
        try await shell(
            """
            chgrp -R \(Self.group) \(node)/data \(tokens); chmod -R ug+rw \(node)/data \(tokens)
            find \(node)/data \(tokens) -type d -exec chmod g+sx {} +; chmod 0644 \(site.directory)/conf
            """)
    }

    /// Writes a ConfigMap, as kubelet does: files behind two symbolic links, of which one is exchanged for all at once.
    func write(_ name: String, of container: Container, _ text: String) async throws {
        let volume = "\(node)/config-\(container == .agent ? "agent" : "issuer")"
        try text.write(toFile: site.directory + "/config.new", atomically: true, encoding: .utf8)
        try await shell(
            """
            find \(volume) -mindepth 1 -delete; mkdir -m 2755 \(volume)/..1; ln -s ..1 \(volume)/..data
            cp \(site.directory)/config.new \(volume)/..1/\(name); chmod 0644 \(volume)/..1/\(name)
            ln -s ..data/\(name) \(volume)/\(name)
            """)
    }

    /// What `/bin/sh -c` takes to run a program of ours in one of the containers.
    func arguments(_ container: Container, _ program: String, _ arguments: [String], _ variation: Variation = Variation())
        -> [String]
    {
        let command = (["\(Programs.directory)/\(program)"] + arguments).map { "'\($0)'" }.joined(separator: " ")
        let script = """
            set -e
            volume() { mount --bind \(node)/$1 \(mounted)/$2; [ $3 = rw ] || mount -o remount,bind,ro \(mounted)/$2; }
            secret() {
                mount -t tmpfs -o mode=1777 tmpfs $1; mkdir $1/..1; ln -s ..1 $1/..data;
                for pair in $2; do
                    cp ${pair#*=} $1/..1/${pair%%=*}; chown 0:\(Self.group) $1/..1/${pair%%=*}; chmod 0440 $1/..1/${pair%%=*}
                    ln -s ..data/${pair%%=*} $1/${pair%%=*}
                done
                mount -o remount,bind,ro $1
            }
            \(volumes(container))
            mount -o remount,bind,ro /
            \(variation.finally)
            exec setpriv --reuid \(container.rawValue) --regid \(container.rawValue) --groups \(Self.group) --no-new-privs \
            --bounding-set=-all --inh-caps=-all \(command)
            """
        return ["-c", "\(variation.namespace) /bin/sh -c \"$0\"", script]
    }

    private func volumes(_ container: Container) -> String {
        switch container {
        case .agent:
            """
            volume config-agent etc ro; volume run run rw; volume data data rw
            secret \(mounted)/secret pin=\(site.token.pinFile)
            mount --bind \(tokens) \(tokens)
            """
        case .frontend:
            """
            volume config-issuer etc ro; volume run run ro; volume cache cache rw
            secret \(mounted)/tls 'tls.crt=\(site.directory)/server.pem tls.key=\(site.directory)/server.key'
            """
        case .client:
            "volume run run ro"
        }
    }

    /// Runs a program in a container to its end.
    func run(
        _ container: Container, _ program: String, _ arguments: [String], _ variation: Variation = Variation()
    ) async throws -> Programs.Outcome {
        try await Programs.run(
            at: "/bin/sh", self.arguments(container, program, arguments, variation),
            environment: ["PRIVYSEAL_SOCKET": "\(mounted)/run/agent.sock"])
    }

    private func shell(_ script: String) async throws {
        _ = try await Programs.run(at: "/bin/sh", ["-ec", script]).output(of: ["sh"])
    }
}

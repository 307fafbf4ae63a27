import Foundation
import Testing

/// opencryptoki's soft token, with its daemon, in namespaces of its own: all of it has one place on a machine.
private enum OpenCryptoki {
    static let module = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/opencryptoki/libopencryptoki.so.0" }
        .first(where: FileManager.default.fileExists(atPath:))

    static let canRun = module != nil && geteuid() == 0 && FileManager.default.fileExists(atPath: "/usr/sbin/pkcsslotd")
    static let note: Comment = "needs root, and the package opencryptoki"

    /// Sets the namespace up and runs a script in it, whose `$1` is the directory of the programs and `$2` the module.
    static func run(_ script: String) async throws -> Programs.Outcome {
        let setUp = """
            set -eu
            mount -t tmpfs -o mode=0755 tmpfs /mnt
            cp -a /var/lib/opencryptoki /mnt/lib
            mount -t tmpfs tmpfs /run
            mount -t tmpfs tmpfs /dev/shm
            mkdir -p /run/lock/opencryptoki/swtok
            chgrp -R pkcs11 /run/lock/opencryptoki
            chmod -R 770 /run/lock/opencryptoki
            mount --bind /mnt/lib /var/lib/opencryptoki
            printf 'version opencryptoki-3.1\\nslot 3\\n{\\nstdll = libpkcs11_sw.so\\n}\\n' > /mnt/conf
            mount --bind /mnt/conf /etc/opencryptoki/opencryptoki.conf
            umask 077
            cd /mnt
            # What every such token begins with.
            printf 87654321 > so-pin
            printf user2718 > pin
            /usr/sbin/pkcsslotd > slotd.log 2>&1

            """
        return try await Programs.run(
            at: "/usr/bin/unshare",
            [
                "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", setUp + script, "bash",
                Programs.directory, try #require(module),
            ])
    }
}

@Suite("opencryptoki, as a token of another make", .serialized)
struct OpenCryptokiTests {
    @Test(
        "is prepared by commands that end well, though it loads and unloads libraries that threads have used",
        .enabled(if: OpenCryptoki.canRun, OpenCryptoki.note))
    func provisioning() async throws {
        let outcome = try await OpenCryptoki.run(
            """
            token() { "$bin/privyseald" token "$@" --module "$module"; }
            bin=$1 module=$2
            token init --slot 3 --label ock --so-pin-file so-pin --pin-file pin
            token init --slot 3 --force --label again --so-pin-file so-pin --pin-file pin
            token list
            printf user3141 > new-pin
            token change-pin --label again --pin-file pin --new-pin-file new-pin
            token change-pin --label again --so-pin-file so-pin --new-pin-file pin
            """)
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.errors == "")
        #expect(outcome.output.contains("initialised token \"ock\" in slot 3"))
        #expect(outcome.output.contains("IBM SoftTok") && outcome.output.contains("ready"))
    }

    @Test(
        "makes keys and signs, also after its daemon was killed and started again",
        .enabled(if: OpenCryptoki.canRun, OpenCryptoki.note))
    func life() async throws {
        let outcome = try await OpenCryptoki.run(
            """
            bin=$1 module=$2
            "$bin/privyseald" token init --slot 3 --label ock --so-pin-file so-pin --pin-file pin --module "$module"
            cat > agent.yaml <<YAML
            socket: { path: /mnt/agent.sock, mode: "0600" }
            token: { uri: "pkcs11:token=ock", module: $module, pinFile: /mnt/pin }
            store: { sqlite: /mnt/store.db }
            signing: { recoveryInterval: 1h }
            publicBaseURL: https://oidc.example.com
            YAML
            export PRIVYSEAL_SOCKET=/mnt/agent.sock
            serve() {
                "$bin/privyseald" serve --config agent.yaml 2>> agent.log & agent=$!
                for _ in $(seq 1200); do "$bin/privyseal" version > version 2>&1 && return; sleep 0.1; done
                cat agent.log; exit 1
            }
            "$bin/privyseald" init --config agent.yaml
            issue() { "$bin/privyseal" jwt issue demo --subject me --audience api > jwt; }
            serve
            "$bin/privyseal" issuer create demo --algorithm RS256 > created
            issue
            "$bin/privyseal" rotate demo --yes > rotated
            issue
            kill -KILL "$(cat /run/pkcsslotd.pid)"
            rm -f /run/pkcsslotd.pid /run/pkcsslotd.socket
            # Nothing of it is needed to sign.
            issue
            /usr/sbin/pkcsslotd >> slotd.log 2>&1
            issue
            kill -TERM "$agent"; wait "$agent"
            serve
            issue
            "$bin/privyseal" rotate demo --yes > rotated
            issue
            kill -TERM "$agent"; wait "$agent"
            echo all well
            """)
        #expect(outcome.status == 0 && outcome.output.hasSuffix("all well\n"), "\(outcome.output)\(outcome.errors)")
    }
}

import Foundation
import ProcessSupport
import TestSupport
import Testing

@Suite("Processes that end together")
struct ProcessGroupTests {
    @Test("end with the group, those that stand still as well")
    func end() async throws {
        try await withTemporaryDirectory { directory in
            let group = try ProcessGroup(in: directory)
            let processes = try (0..<3).map { _ in
                try group.start("/bin/sleep", ["3600"], log: directory + "/log")
            }
            try await processes[1].pause()
            #expect(processes.allSatisfy { $0.isRunning })
            await group.end()
            for process in processes { #expect(await process.status == -SIGKILL) }
        }
    }

    @Test("end when the process that has started them is killed")
    func killed() async throws {
        try await withTemporaryDirectory { directory in
            // Another process in this one's place: it holds the pipe, and nothing of what it started.
            let script = """
                import os, subprocess, sys
                os.mkfifo(sys.argv[1])
                held = os.open(sys.argv[1], os.O_RDWR | os.O_CLOEXEC)
                guard = subprocess.Popen(["/bin/sh", "-c", "read -r _; kill -KILL 0"], stdin=open(sys.argv[1]), process_group=0)
                child = subprocess.Popen(["/bin/sleep", "3600"], process_group=guard.pid)
                print(child.pid, flush=True)
                guard.wait()
                """
            let output = directory + "/output"
            try writeFile(output, "")
            let starter = try ChildProcess("/usr/bin/python3", ["-c", script, directory + "/held"], output: output)
            var child: Int32?
            while child == nil {
                child = Int32(try String(contentsOfFile: output, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines))
                try await Task.sleep(for: .milliseconds(5))
            }
            let pid = try #require(child)
            await starter.end()
            while FileManager.default.fileExists(atPath: "/proc/\(pid)") {
                let state = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
                if state?.contains(") Z ") ?? true { break }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}

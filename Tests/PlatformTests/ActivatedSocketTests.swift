import Platform
import TestSupport
import Testing

@Suite("A socket the service manager has made")
struct ActivatedSocketTests {
    @Test("is taken with the path of its file, and kept from programs that are executed")
    func listening() throws {
        try withTemporaryDirectory { directory in
            let socket = try #require(BoundSocket("\(directory)/agent.sock", isInherited: true))
            let activated = try ActivatedSocket(descriptor: socket.descriptor)
            #expect(activated.path.path == "\(directory)/agent.sock")
            #expect(activated.descriptor == socket.descriptor)
            #expect(closesOnExecution(socket.descriptor))
        }
    }

    @Test("is refused when it has no file, since nothing would say who may connect")
    func abstract() throws {
        let socket = try #require(BoundSocket("@privyseal-\(currentProcess())"))
        let error = #expect(throws: PlatformError.self) { try ActivatedSocket(descriptor: socket.descriptor) }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("no file") == true)
    }

    @Test("is refused when it takes datagrams, does not listen, is of the network or is no socket")
    func others() throws {
        func reason(_ descriptor: CInt) -> String {
            let error = #expect(throws: PlatformError.self) { try ActivatedSocket(descriptor: descriptor) }
            #expect(error?.code == .malformed && error?.hint.contains("ListenStream=") == true)
            return error?.message ?? ""
        }
        try withTemporaryDirectory { directory in
            let datagrams = try #require(BoundSocket("\(directory)/s", datagrams: true))
            #expect(reason(datagrams.descriptor).contains("no Unix stream socket"))
        }
        withOtherSocket(unixFamily) { #expect(reason($0).contains("does not listen")) }
        withOtherSocket(networkFamily) { #expect(reason($0).contains("no Unix stream socket")) }
        #expect(reason(-1).contains("is none"))
    }

    /// What systemd would set, for whom, and what comes of it.
    @Test(
        "counts only for the process it is meant for, and alone",
        arguments: [(nil, nil, nil), ("1", "1", nil), ("self", nil, nil), ("self", "0", nil), ("self", "2", "2 sockets")]
            as [(String?, String?, String?)])
    func environment(pid: String?, count: String?, refusal: String?) async {
        await #expect(processExitsWith: .success) { [pid, count, refusal] in
            if let pid { setVariable("LISTEN_PID", pid == "self" ? "\(currentProcess())" : pid) }
            if let count { setVariable("LISTEN_FDS", count) }
            do throws(PlatformError) {
                let passed = try ActivatedSocket.passed()
                #expect(passed == nil && refusal == nil)
            } catch {
                #expect(error.message.contains(refusal ?? "nothing was to be refused"))
            }
        }
    }
}

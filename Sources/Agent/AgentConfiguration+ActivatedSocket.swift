import Logging
import Platform

extension AgentConfiguration {
    /// Says where the socket that the service manager has made is not as the configuration has it: the socket unit counts.
    func sayWhatDiffers(_ activated: ActivatedSocket, _ log: Logger) {
        func warn(_ setting: String, configured: String, unit: String) {
            log.warning(
                "the socket unit differs from the configuration, and counts",
                metadata: ["setting": "\(setting)", "configured": "\(configured)", "unit": "\(unit)"])
        }
        if activated.path != socket { warn("socket.path", configured: socket.path, unit: activated.path.path) }
        guard let mode = try? FileMode.of(activated.path.path), let group = try? FileMode.group(of: activated.path.path)
        else { return }
        if mode & 0o777 != socketMode {
            warn("socket.mode", configured: FileMode.text(socketMode), unit: FileMode.text(mode))
        }
        if let socketGroup, socketGroup != group { warn("socket.group", configured: "gid \(socketGroup)", unit: "gid \(group)") }
    }
}

import Platform

/// What the daemon is doing, as `systemctl status` shows it (`STATUS=` of sd_notify(3)).
struct StatusReport: Sendable {
    let notification: ServiceNotification
    let text: @Sendable () async -> String?

    /// How often it is looked whether there is something else to say.
    private static let interval = Duration.seconds(5)

    /// Says it now.
    func send() async {
        guard notification.isListening, let text = await text() else { return }
        notification.status(text)
    }

    /// Says it now, and whenever it has changed, until cancelled.
    func sendChanges() async {
        guard notification.isListening else { return }
        var last: String?
        while !Task.isCancelled {
            if let text = await text(), text != last, !Task.isCancelled {
                notification.status(text)
                last = text
            }
            try? await Task.sleep(for: Self.interval)
        }
    }
}

import AgentProtocol
import KeyLifecycle

extension WireTime {
    init(_ moment: Timestamp) {
        self.init(seconds: moment.seconds)
    }
}

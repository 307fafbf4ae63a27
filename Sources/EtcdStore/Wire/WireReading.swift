import Foundation

/// What the gateway's client makes of bytes that a member sent, for those who try it with any.
package enum WireReading {
    /// What a line of a watch tells; `nil` when it cannot be read, or says that the watch is over.
    package static func message(_ line: [UInt8]) -> EtcdWatchMessage? {
        guard let line = try? JSONDecoder().decode(WatchLine.self, from: Data(line)), case .message(let message) = line.content
        else { return nil }
        return message
    }

    /// The answer to a question for keys; `nil` when it cannot be read.
    package static func page(_ answer: [UInt8]) -> EtcdPage? {
        (try? JSONDecoder().decode(WireAnswer.Range.self, from: Data(answer)))?.page
    }

    /// What became of a transaction, and what it found; `nil` when it cannot be read.
    package static func outcome(_ answer: [UInt8]) -> (succeeded: Bool, found: [EtcdPage])? {
        (try? JSONDecoder().decode(WireAnswer.Transaction.self, from: Data(answer))).map { ($0.succeeded, $0.found) }
    }

    /// Code and text of a failure; `nil` when the bytes are none.
    package static func fault(_ answer: [UInt8]) -> (code: Int, text: String)? {
        WireAnswer.Fault(answer).map { ($0.code, $0.text) }
    }
}

import Platform

/// Records that come at once are written together, by the first thread that came or by the last that gathers some.
extension AuditLog {
    func submit(_ text: AuditText, _ written: @escaping @Sendable (borrowing AuditReceipt) -> Void = { _ in }) {
        submit(.record(text, written: written))
    }

    /// Does something from which many records come, and writes them together.
    func gathering(_ work: () -> Void) {
        queue.withLock { $0.beginGathering() }
        work()
        if queue.withLock({ $0.endGathering() }) { writePending(batches: Self.longestService) }
    }

    func submit(_ item: AuditQueue.Item) {
        if queue.withLock({ $0.add(item) }) { writePending(batches: Self.longestService) }
    }

    /// Writes what is pending, as the one thread that writes.
    private func writePending(batches: Int) {
        var left = batches
        while true {
            let isLast = left == 0
            guard let batch = queue.withLock({ $0.next(taking: !isLast) }) else { return }
            if isLast {
                // Nobody's request is to serve everybody else's. The role of the writer goes to the log's thread.
                if keeper.perform({ [self] in writePending(batches: Self.longestService) }) { return }
                left = .max
                continue
            }
            left -= 1
            write(batch)
        }
    }

    private func write(_ batch: AuditQueue.Batch) {
        var (appender, chain) = (batch.appender, batch.chain)
        var rest = batch.items[...]
        while let first = rest.first {
            if case .file(let file, let lines, let switched) = first {
                appender = AuditAppender(file, saying: lines)
                queue.withLock { [appender] in $0.go(on: appender) }
                rest.removeFirst()
                switched()
                continue
            }
            noticeChange(of: &appender)
            var answers: [@Sendable (borrowing AuditReceipt) -> Void] = []
            var bytes: [UInt8] = []
            bytes.reserveCapacity(768 * rest.count)
            let time = clock.wallMilliseconds()
            var longer = chain
            for line in appender.unsaid { longer.append(.note(line), atMilliseconds: time, to: &bytes) }
            records: while let item = rest.first {
                switch item {
                case .file: break records
                case .check: break
                case .record(let text, let written):
                    longer.append(text, atMilliseconds: time, to: &bytes)
                    answers.append(written)
                }
                rest.removeFirst()
            }
            guard !bytes.isEmpty else { continue }
            let error = obstacle(batch) ?? append(bytes, longer, to: &appender)
            if error == nil { chain = longer } else { troubles.lose(answers.count) }
            answering { answer(answers, error) }
        }
    }

    /// Why nothing is to be written, whether or not the file takes it.
    private func obstacle(_ batch: AuditQueue.Batch) -> AuditError? {
        if batch.isClosed { return .logClosed }
        return place.withLock { $0.isLost } ? trouble : nil
    }

    private func noticeChange(of appender: inout AuditAppender) {
        guard let change = try? appender.noticeChange() else { return }
        appender.unsaid.append(change.line)
        happened(change.line)
        queue.withLock { [appender] in $0.noticed(appender) }
    }

    /// Appends a batch, and makes `chain` that of the log.
    private func append(_ batch: [UInt8], _ chain: AuditChain, to appender: inout AuditAppender) -> AuditError? {
        do throws(PlatformError) {
            try appender.append(batch)
            queue.withLock { [appender] in $0.appended(appender, chain) }
            return nil
        } catch {
            let trouble = AuditError(
                .notWritten, "the audit log cannot be written: \(error.message)",
                hint: "make room on the disk, or correct what keeps the file from being written")
            queue.withLock { [appender] in $0.noticed(appender) }
            begin(trouble)
            return trouble
        }
    }
}

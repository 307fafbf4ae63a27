/// A rule that a file breaks.
struct Violation: Hashable, CustomStringConvertible {
    let path: String
    let line: Int
    let rule: String

    var description: String { "Sources/\(path):\(line): \(rule)" }
}

extension SourceFile {
    /// Everything in the file that breaks a rule.
    var violations: [Violation] {
        forbiddenImports + forbiddenUnsafe + clockReadings + wallClockWaits + unprovenSendables + mutexes + shadowedModules
    }

    private func violation(_ line: Int, _ rule: String) -> Violation { Violation(path: path, line: line, rule: rule) }

    private var forbiddenImports: [Violation] {
        imports.compactMap { module, line in
            for rule in Rules.exclusive
            where module.hasPrefix(rule.prefix) && !Rules.exclusiveExceptions.contains(module)
                && !rule.paths.contains(where: path.hasPrefix)
            {
                return violation(line, "only \(rule.paths.joined(separator: ", ")) may import \(module)")
            }
            let common = target == "KeyLifecycle" ? [] : Rules.system.union(["Platform"])
            guard common.union(Rules.imports[target] ?? []).contains(module) else {
                return violation(line, "\(target) may not import \(module)")
            }
            return nil
        }
    }

    private var forbiddenUnsafe: [Violation] {
        guard !Rules.unsafe.contains(target) else { return [] }
        return lineNumbers(with: ["unsafe"], matching: /\bunsafe\b/).filter {
            code[$0 - 1].replacing(/nonisolated\s*\(\s*unsafe\s*\)/, with: "").contains(/\bunsafe\b/)
        }
        .map { violation($0, "unsafe code belongs in \(Rules.unsafe.sorted().joined(separator: ", "))") }
    }

    private var clockReadings: [Violation] {
        guard !Rules.clockTargets.contains(target) else { return [] }
        return clockReadingLines.map { violation($0, "clocks are injected; only executables and services read one") }
    }

    /// Reads of a clock that is a type's or the system's; `clock.now` of an injected clock is none.
    var clockReadingLines: [Int] {
        let pattern =
            /\bDate\(\s*\)|\b[A-Z]\w*\.now\b|(?:^|[\s(\[,:=!&|<>+-])\.now\b|\b(?:Continuous|Suspending)Clock\(\s*\)|\b(?:MonotonicClock\.\w+|clock_gettime|gettimeofday|timeIntervalSinceNow)\b/
        let words: Set = [
            "Date", "now", "ContinuousClock", "SuspendingClock", "MonotonicClock", "clock_gettime", "gettimeofday",
            "timeIntervalSinceNow",
        ]
        return lineNumbers(with: words, matching: pattern.wordBoundaryKind(.simple))
    }

    /// Waits whose end is a moment of CLOCK_REALTIME on Linux, also where what is given is a time: whoever sets that clock back
    /// puts it off.
    private var wallClockWaits: [Violation] {
        let pattern =
            /\b(?:DispatchSemaphore|DispatchWallTime|NSConditionLock|Timer|RunLoop)\b|[\w?!)\]]\.(?:wait|run)\(until:|\bThread\.sleep\(until:|\bwait\((?:timeout|wallTimeout):|\block\(before:|\bwallDeadline:|\b(?:sem_timedwait|pthread_cond_timedwait|pthread_mutex_timedlock)\b/
        let words: Set = [
            "DispatchSemaphore", "DispatchWallTime", "NSConditionLock", "Timer", "RunLoop", "until", "timeout", "wallTimeout",
            "before", "wallDeadline", "sem_timedwait", "pthread_cond_timedwait", "pthread_mutex_timedlock",
        ]
        // Of Unicode's word boundaries there is none in `group.wait`.
        return lineNumbers(with: words, matching: pattern.wordBoundaryKind(.simple)).map {
            violation($0, "waits count on CLOCK_MONOTONIC; use Platform.Signal, Platform.TimedCondition or Task.sleep(for:)")
        }
    }

    private var unprovenSendables: [Violation] {
        lineNumbers(
            with: ["unchecked", "nonisolated"], matching: /@unchecked\s+Sendable|nonisolated\s*\(\s*unsafe\s*\)/
        )
        .filter { number in
            guard number > 1 else { return true }
            let above = lines[number - 2].drop { $0 == " " }
            return !above.hasPrefix("//") || above.hasPrefix("///")
        }
        .map { violation($0, "@unchecked Sendable and nonisolated(unsafe) need a // line directly above that proves them") }
    }

    private var mutexes: [Violation] {
        lineNumbers(with: ["Mutex"], matching: /\bMutex\s*[<(]/).map {
            violation($0, "Synchronization.Mutex gives false ThreadSanitizer reports; use Platform.Locked")
        }
    }

    /// A type with its module's name makes everything else in the module unreachable by qualified name.
    private var shadowedModules: [Violation] {
        let pattern = /\b(?:struct|class|enum|actor|protocol|typealias)\s+(\w+)/
        return lineNumbers(with: [target], matching: pattern)
            .filter { number in code[number - 1].matches(of: pattern).contains { $0.output.1 == target } }
            .map { violation($0, "a type may not have the name of its module") }
    }
}

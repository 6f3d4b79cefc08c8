package import MeteringPorts
import RedisClient

extension RedisCounterStore {
    /// Keeps one function call short: Redis serves nobody else meanwhile.
    private static let requestsPerCallMaximum = 128

    /// A request is admitted when G + O + quantity ≤ hard limit; decided and charged in one step.
    /// Without a hard limit, 2^53 − 1 is the limit. Quantity 0 asks without charging.
    ///
    /// When one shard fails, what other shards admitted for the same caller is given back.
    package func admit(
        _ requests: [CounterAdmission]
    ) async throws(SharedCounterError) -> [CounterAdmissionResult] {
        guard !requests.isEmpty else { return [] }
        try checkQuantities(requests)
        return try await admissions.submit(requests) { entries in
            await self.serve(entries)
        }
    }

    func checkQuantities(_ requests: [CounterAdmission]) throws(SharedCounterError) {
        for request in requests
        where request.quantity < 0 || request.quantity > Self.exactMaximum {
            throw SharedCounterError(
                code: .rejected, message: "quantity \(request.quantity) is out of range")
        }
    }

    /// Requests of several callers that share a function call.
    private struct Group {
        var shard: Int
        var arguments = RedisCommand()
        /// Which caller's which request.
        var places: [(entry: Int, request: Int)] = []
    }

    private func serve(_ entries: [AdmissionBatcher.Entry]) async {
        let groups = group(entries)
        var results = entries.map { entry in
            [CounterAdmissionResult?](repeating: nil, count: entry.requests.count)
        }
        var failures = [SharedCounterError?](repeating: nil, count: entries.count)
        do throws(SharedCounterError) {
            let replies = try await perform { run in
                groups.map { group in
                    var command = CounterLibrary.call(.admit, on: shardKeys(group.shard))
                    command.append(run)
                    command.append(options.retentionSeconds)
                    command.append(argumentsOf: group.arguments)
                    return command
                }
            }
            for (group, reply) in zip(groups, replies) {
                do throws(SharedCounterError) {
                    let answers = try Self.results(in: reply, count: group.places.count)
                    for (place, answer) in zip(group.places, answers) {
                        results[place.entry][place.request] = answer
                    }
                } catch {
                    for place in group.places { failures[place.entry] = error }
                }
            }
        } catch {
            failures = failures.map { _ in error }
        }
        for (index, entry) in entries.enumerated() {
            if let failure = failures[index] {
                await fail(entry, results[index], failure)
            } else {
                entry.continuation.resume(returning: .success(results[index].compactMap { $0 }))
            }
        }
    }

    private func group(_ entries: [AdmissionBatcher.Entry]) -> [Group] {
        var groups: [Group] = []
        var openGroup: [Int: Int] = [:]
        for (entryIndex, entry) in entries.enumerated() {
            for (requestIndex, request) in entry.requests.enumerated() {
                let shard = shard(of: request.key.root)
                var index = openGroup[shard] ?? groups.count
                if index < groups.count,
                    groups[index].places.count >= Self.requestsPerCallMaximum
                {
                    index = groups.count
                }
                if index == groups.count {
                    groups.append(Group(shard: shard))
                    openGroup[shard] = index
                }
                CounterAddress(request.key).append(to: &groups[index].arguments)
                groups[index].arguments.append(request.quantity)
                groups[index].arguments.append(
                    request.hardLimit.map { String(min($0, Self.exactMaximum)) } ?? "")
                groups[index].places.append((entryIndex, requestIndex))
            }
        }
        return groups
    }

    private static func results(
        in reply: RedisValue, count: Int
    ) throws(SharedCounterError) -> [CounterAdmissionResult] {
        guard let numbers = try reply.checked().elements?.map(\.number) else {
            throw .malformedReply(to: .admit)
        }
        if numbers.isEmpty {
            let waiting = CounterAdmissionResult(verdict: .rebuilding, committed: 0)
            return [CounterAdmissionResult](repeating: waiting, count: count)
        }
        guard numbers.count == 2 * count else { throw .malformedReply(to: .admit) }
        var results: [CounterAdmissionResult] = []
        results.reserveCapacity(count)
        for index in 0..<count {
            guard let verdict = numbers[2 * index], let committed = numbers[2 * index + 1] else {
                throw .malformedReply(to: .admit)
            }
            results.append(
                CounterAdmissionResult(
                    verdict: verdict == 1 ? .admitted : .exhausted, committed: committed))
        }
        return results
    }

    /// The caller gets no verdicts, so it must not keep charges either.
    private func fail(
        _ entry: AdmissionBatcher.Entry, _ results: [CounterAdmissionResult?],
        _ failure: SharedCounterError
    ) async {
        var failure = failure
        let charged = zip(entry.requests, results).filter { $1?.verdict == .admitted }.map(\.0)
        if !charged.isEmpty {
            do throws(SharedCounterError) {
                try await giveBack(charged)
            } catch {
                failure.isOutcomeUnknown = true
            }
        }
        entry.continuation.resume(returning: .failure(failure))
    }
}

import CHiredis

/// One non-blocking hiredis context: a socket, an output buffer and a reply parser.
/// Used by one thread only. Freed, and its socket closed, at the end of its life.
@safe struct RedisContext: ~Copyable {
    private let context: UnsafeMutablePointer<redisContext>

    // SAFETY: the pointer is kept, not used.
    private init(_ context: UnsafeMutablePointer<redisContext>) { unsafe self.context = context }

    /// Starts to connect; the socket becomes writable when that is settled.
    /// Resolving a host name blocks the calling thread.
    static func connecting(to host: String, port: Int) throws(RedisError) -> RedisContext {
        // SAFETY: hiredis copies the host; a returned context is ours to free.
        guard let created = unsafe redisConnectNonBlock(host, CInt(port)) else {
            throw RedisError(code: .unreachable, message: "out of memory for a connection")
        }
        let context = unsafe RedisContext(created)
        // SAFETY: the context is alive. When this throws, its deinit frees it.
        if unsafe created.pointee.err != 0 { throw context.failure(doing: "connect") }
        return context
    }

    deinit {
        // SAFETY: freed here and nowhere else.
        unsafe redisFree(context)
    }

    /// The socket, to poll.
    // SAFETY: the context is alive.
    var descriptor: CInt { unsafe context.pointee.fd }

    /// Asks the kernel to notice peers that vanished without a word.
    func enableKeepAlive() {
        // SAFETY: the context is alive. A failure leaves the connection usable.
        _ = unsafe redisEnableKeepAlive(context)
    }

    /// Copies bytes in wire form to the output buffer.
    func append(_ wire: [UInt8]) throws(RedisError) {
        let result = unsafe wire.withUnsafeBufferPointer { bytes in
            // SAFETY: hiredis copies `count` bytes and keeps no pointer; CChar has UInt8's layout.
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                unsafe redisAppendFormattedCommand(
                    context, characters.baseAddress, characters.count)
            }
        }
        if result != REDIS_OK { throw failure(doing: "queue a command") }
    }

    /// Writes what the socket takes; true when nothing is left.
    func flush() throws(RedisError) -> Bool {
        var done: CInt = 0
        // SAFETY: the context is alive; `done` outlives the call.
        if unsafe redisBufferWrite(context, &done) != REDIS_OK { throw failure(doing: "write") }
        return done != 0
    }

    /// Reads what the socket has, up to hiredis' buffer size; nothing there is no error.
    func fill() throws(RedisError) {
        // SAFETY: the context is alive.
        if unsafe redisBufferRead(context) != REDIS_OK { throw failure(doing: "read") }
    }

    /// The next complete reply, or nil when more bytes are needed.
    func nextReply() throws(RedisError) -> RedisValue? {
        var reply: UnsafeMutableRawPointer?
        // SAFETY: the context is alive; a reply handed out is ours to free.
        if unsafe redisGetReplyFromReader(context, &reply) != REDIS_OK {
            throw failure(doing: "parse a reply")
        }
        guard let reply = unsafe reply else { return nil }
        defer { unsafe freeReplyObject(reply) }
        // SAFETY: without custom reply functions, replies are `redisReply` objects.
        return unsafe RedisValue(reply.assumingMemoryBound(to: redisReply.self))
    }

    private func failure(doing what: String) -> RedisError {
        // SAFETY: `errstr` is a zero-terminated array of 128 characters inside the live context.
        let text = unsafe withUnsafeBytes(of: context.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        // SAFETY: the context is alive.
        let kind = unsafe context.pointee.err
        return RedisError(
            code: kind == REDIS_ERR_PROTOCOL ? .protocolError : .unreachable,
            message: "could not \(what): \(text)")
    }
}

extension RedisValue {
    /// Copies a reply. The depth is bounded: hiredis refuses arrays nested deeper than 7.
    // SAFETY: `reply` must be alive; lengths and element counts are hiredis' own.
    fileprivate init(_ reply: UnsafeMutablePointer<redisReply>) {
        switch unsafe reply.pointee.type {
        case REDIS_REPLY_INTEGER:
            self = unsafe .integer(reply.pointee.integer)
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS:
            self = unsafe .string(Self.bytes(of: reply))
        case REDIS_REPLY_ERROR:
            self = unsafe .error(String(decoding: Self.bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            let count = unsafe reply.pointee.elements
            guard count > 0, let elements = unsafe reply.pointee.element else {
                self = .array([])
                return
            }
            var values: [RedisValue] = []
            values.reserveCapacity(count)
            for index in 0..<count {
                if let element = unsafe elements[index] {
                    unsafe values.append(RedisValue(element))
                } else {
                    values.append(.null)
                }
            }
            self = .array(values)
        default:
            self = .null
        }
    }

    private static func bytes(of reply: UnsafeMutablePointer<redisReply>) -> [UInt8] {
        guard let start = unsafe reply.pointee.str else { return [] }
        // SAFETY: `len` bytes at `str` belong to the live reply.
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: reply.pointee.len))
    }
}

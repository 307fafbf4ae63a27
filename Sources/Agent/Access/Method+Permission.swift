public import AgentProtocol

extension Method {
    /// Whether everybody may call it who may connect: it says nothing that the socket does not, and whoever asks whether the
    /// agent is there needs no rule for it.
    public var isOpenToAll: Bool { self == .version }

    /// The method that a rule has to allow for it.
    var permission: Method { self == .acknowledge ? .watch : self }
}

//! The names of the seeded faults, and which property catches which in which configuration. What each does is in `faults`.

use crate::properties::Broken;

macro_rules! seeded {
    ($($(#[$doc:meta])* $name:ident => $property:ident in $config:literal,)*) => {
        /// What is done wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Seeded { $($(#[$doc])* $name,)* }

        /// Each fault, the property that catches it, and in which configuration.
        pub const TABLE: &[(Seeded, Broken, &str)] = &[$((Seeded::$name, Broken::$property, $config),)*];
    };
}

seeded! {
    /// Creates without a claim (R1).
    SkipClaim => Claimed in "lost requests",
    /// Creates new content under the claim of the old (R1).
    OldClaim => Claimed in "lost requests",
    /// Takes its own cache for a fresh look (R11).
    NoFreshLook => FreshLook in "lost requests",
    /// The same, but only while failures are counted that were no 5xx (R11): what tells those states apart is `ObjectState::broken` alone.
    NoLookAfterLoss => FreshLook in "lost requests",
    /// Patches without their tests (R11).
    IgnoreUid => OtherUid in "replaced in the middle",
    /// Goes by what the object asked for when it was young (S7).
    OldSpec => Ready in "lost requests",
    /// Writes an older generation back (S7).
    WriteBack => AsAsked in "lost requests",
    /// Says Ready, then sends the update (R5).
    ReadyEarly => Ready in "lost requests",
    /// Forgets doubts when it says Ready (R5).
    ReadyInDoubt => Ready in "rate limits",
    /// Believes every 404 at once (R4).
    TrustAbsence => Released in "replica lag",
    /// Gives an identity up on the first 404 (R9).
    GiveUpAtOnce => GivenUp in "replica lag",
    /// Lets an object go on any 404, settled or not (R7).
    ReleaseOn404 => Released in "replica lag",
    /// Takes a write that was not answered for one that was refused (R4).
    LostIsRefused => InDoubt in "lost requests",
    /// Forgets what was in flight when a reconcile was cut (ADR 0001).
    ForgetInFlight => InDoubt in "lost requests",
    /// Lets the next 200 clear up every doubt (S37).
    ForgetDoubt => InDoubt in "lost requests",
    /// Takes equal content for its own (R3).
    OwnIfEqual => Lawful in "never adopts",
    /// Adopts whatever the policy says (R3).
    AdoptAlways => Lawful in "never adopts",
    /// Writes to an identity before it is recorded (R3).
    WriteFirst => OnlyOwn in "strangers and adoption",
    /// Believes a status that was written for another uid (S16).
    TrustRestored => OnlyOwn in "restore",
    /// Lets the oldest act, whoever has the identity (R8).
    OldestWins => ClaimOnly in "two objects, one externalId",
    /// Lets everybody act (R8).
    LoserActs => ClaimOnly in "two objects, one externalId",
    /// Claims although another one owns (R8).
    LoserClaims => ClaimOnly in "two objects, one externalId",
    /// Claims and adopts while the objects of a namespace are unknown (R8).
    EntersUnseen => OneOwner in "a namespace is unknown",
    /// Claims and adopts while the definition in the cluster is older (R8).
    EntersOutdated => Entered in "an older definition",
    /// Looks at Unkey for whoever does not own (R8).
    LoserLooks => Loser in "two objects, one externalId",
    /// Works on what is suspended (R14).
    IgnoreSuspend => Suspended in "suspend, orphan, policy",
    /// Writes to what is only observed (R21).
    EnforcesObserved => Observed in "observed and enforced",
    /// Takes finalizer and claim off an observed object while a create of its identity is in doubt (R21).
    ObservesInDoubt => InDoubt in "observed and enforced",
    /// Takes finalizer and claim off an observed object whose status still shows the accepted fields (R21).
    ObservesAsManaged => Settled in "observed and enforced",
    /// Deletes under `Orphan` (R7).
    IgnoreOrphan => Orphan in "suspend, orphan, policy",
    /// Lets go, then deletes (R7).
    ReleaseFirst => Released in "lost requests",
    /// Takes what was deleted a moment ago for long over (R4).
    YoungIsLongOver => Released in "restart everywhere",
    /// Repeats a delete without a look (R6).
    RepeatBlindly => Again in "lost requests",
    /// Deletes the identity of an object whose spec has become invalid.
    DeleteLiving => Live in "suspend, orphan, policy",
    /// Creates for an object that is being deleted.
    CreateLeaving => Live in "lost requests",
    /// Forgets the id of an accepted create before it is recorded (R2).
    ForgetCreated => Released in "never adopts",
    /// Never lets go.
    NeverRelease => Truth in "lost requests",
    /// Looks at Unkey in every reconcile (R12).
    AlwaysLooks => Quiet in "lost requests",
    /// Looks again and again (R12).
    LooksWithoutEnd => Rests in "lost requests",
    /// Sees that Unkey differs and leaves it so (R5).
    IgnoreDrift => Equal in "strangers and adoption",
    /// Works under every key, wherever it leads (R15).
    AnyWorkspace => Released in "another workspace's key",
    /// Takes what the spec names for managed (R18).
    ManagesWithoutLook => Looked in "becomes managed",
    /// Looks, and writes over what it would lose (R18).
    OverwritesStored => Looked in "becomes managed",
    /// Sends the first update of a field before the status says so (R18).
    UnrecordedUpdate => Looked in "becomes managed",
    /// Forgets what it was about to write when the spec is edited (R18).
    ForgetsPending => Truth in "managed late, lost, edited",
    /// Lays an accepted update over a status that was written since and releases the field (R17, R18).
    KeepsReleased => Looked in "managed, released, managed again",
    /// Forgets what a look has shown, or Unkey accepted, before a status shows it (R5).
    ForgetsUnshown => Ready in "changed, looked at, and back",
    /// Takes a field whose update went unanswered for one that is not managed (R18).
    UnsureIsUnmanaged => Truth in "unanswered, then suspended",
    /// Takes the 404 of a delete for a proof (R19).
    TrustDelete => Released in "a right is lost",
    /// Takes a get that finds nothing for a proof, without a witness (R19).
    NoWitness => Released in "a right is lost",
    /// Lets a witness speak for reads of before a look that was in vain (R19).
    LateWitness => Released in "a right is lost",
    /// Forgets a create in doubt when a get finds nothing, without a witness (R19).
    SettleUnwitnessed => Released in "a right is lost, never adopts",
    /// Lets the permission to create stand in for a deletion though recorded identities should show (R19).
    StandsInForAll => Released in "a key that may only create",
    /// Deletes what the policy would only have adopted (R7).
    DeleteAdoptable => OnlyOwn in "met, then edited",
    /// Says of what is at rest that it waits (R24).
    TellsAtRest => Patient in "lost requests",
    /// Takes the id out of the status when it says that work waits (R24).
    TellsWithoutId => Keeps in "lost requests",
    /// Says Ready when it should say that work waits (R24).
    TellsReady => Ready in "lost requests",
    /// Says Ready without finalizer and claim (S15).
    Unprotected => Protected in "recreate and replace",
    /// Takes any 404 of the API server for the end of the object, and clears up after it (R26).
    GoneOnDenial => Live in "an API server that answers wrongly",
    /// Believes at first sight that the definition is gone (R10, R26).
    MissingIsGoing => Released in "a definition that seems to be gone",
    /// Remembers that the definition was not there although it was seen since (R10, R26).
    KeepsMissing => Released in "a definition that seems to be gone",
    /// Ignores versions that are older than the one it knows (R26).
    DropsOlder => Truth in "etcd is restored",
    /// Goes on with what it remembers of an object that was restored from a backup (R26).
    KeepsMemory => Truth in "etcd is restored",
    /// Creates although Kubernetes refused the claim (R1, R25).
    CreateRefused => Claimed in "Kubernetes refuses",
    /// Never tries again what Kubernetes refused (R25).
    RefusedForGood => Truth in "Kubernetes refuses",
    /// Deletes once more because the release was refused (R6, R25).
    DeleteRefused => Again in "Kubernetes refuses",
    /// Protocol: a permit that was waited for leaves the look of before in force (R11).
    LateKeepsLook => FreshLook in "permits run out",
    /// Protocol: so does an event that was published (R11).
    EventKeepsLook => FreshLook in "strangers and adoption",
    /// Protocol: so does a call (R11).
    CallKeepsLook => FreshLook in "lost requests",
    /// Protocol: so does a process that stood still (R11).
    StandstillKeepsLook => FreshLook in "lost requests",
    /// Protocol: goes on under a root key that is no longer in use (R15).
    KeyIgnored => OldKey in "root key swapped",
    /// Protocol: goes on as if the process were not about to end (S42).
    DrainIgnored => Drained in "told to end",
    /// Protocol: takes the answer to another request for its own (R4).
    ReplyToAnother => Released in "late answers",
    /// Forgets when an identity was last shown, and believes a replica that is behind (R4).
    ForgetsShown => Released in "late answers",
    /// Protocol: begins a session although another one holds the lock on the externalId (R8).
    LockIgnored => Lawful in "recreate and replace",
    /// Protocol: sends a call and does not note it before (R4).
    CallUnnoted => InDoubt in "lost requests",
    /// Protocol: lets an object go whose identity is to stay and does not note it before (R7).
    ReleaseUnnoted => Orphan in "the type is removed after a restart",
    /// Protocol: takes a release that found the object gone for the only one that was sent (R7).
    SecondRelease => Orphan in "the type is removed after a restart",
}

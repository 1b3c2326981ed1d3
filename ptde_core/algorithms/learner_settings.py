"""What a learner can be told, as settings. No torch here: the command line reads this file for its help."""

from pydantic import Field, ValidationInfo, field_validator

from ptde_core.base.setting_fields import Settings

MOST_REPEATS = 100  # of learning after a round, for which Ctrl-C waits; peers take 1 to 15


class LearningSettings(Settings):
    """What all learners can be told."""

    bootstrap_at_limit: bool = Field(
        True, description="value what would follow a time limit; false: the world ends there, as in PyMARL on SMAC"
    )
    average_weights: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay per gradient step of the average of a teacher's weights that is tested and saved; 0: none",
    )


class ValueDecompositionSettings(LearningSettings):
    """VDN, QMIX, QPLEX: replayed whole episodes, TD(lambda), double Q, target networks."""

    learning_rate: float = Field(1e-3, gt=0, description="Adam step size")
    gamma: float = Field(0.99, ge=0, le=1, description="discount of reward per env step")
    td_lambda: float = Field(0.6, ge=0, le=1, description="TD(lambda) mixing; 0 is the paper's equation 5")
    td_loss_factor: float = Field(
        1.0, gt=0, description="what the mean squared TD error is multiplied by; PyMARL2: 0.5"
    )
    gradient_clip: float = Field(10.0, gt=0, description="largest norm of all gradients together")
    mixer_embed: int = Field(32, ge=1, le=4096, description="QMIX: width of the mixing network")
    mixer_hyper: int = Field(
        64, ge=1, le=4096, description="QMIX, QPLEX: width of the hypernetworks that make mixers' weights"
    )
    batch_episodes: int = Field(128, ge=1, le=100_000, description="episodes per gradient step")
    replay_episodes: int = Field(5000, ge=1, le=10**7, description="episodes kept for replay, the oldest dropped first")
    updates_per_round: int = Field(
        1, ge=1, le=MOST_REPEATS, description="gradient steps after each round of n_envs episodes"
    )
    target_every_episodes: int = Field(
        200, ge=1, le=10**9, description="episodes between copies into the target networks"
    )
    epsilon_start: float = Field(1.0, ge=0, le=1, description="chance of a random action at the first env step")
    epsilon_end: float = Field(0.05, ge=0, le=1, description="chance of a random action after epsilon_steps")
    epsilon_steps: int = Field(100_000, ge=1, le=10**12, description="env steps over which that chance falls, linearly")

    @field_validator("replay_episodes")
    @classmethod
    def _holds_a_batch(cls, value: int, info: ValidationInfo) -> int:
        """Refuse a replay that never holds a batch: nothing would ever be learned."""
        batch = info.data.get("batch_episodes", 0)  # missing only where it was refused itself, which is told first
        if value < batch:
            raise ValueError(f"is less than batch_episodes = {batch}, so nothing would ever be learned")
        return value


class QplexSettings(ValueDecompositionSettings):
    """QPLEX: value decomposition, and the heads of its mixer."""

    mixer_heads: int = Field(4, ge=1, le=64, description="attention heads that weigh the agents' advantages")
    mixer_layers: int = Field(
        2, ge=1, le=16, description="layers of each head's networks; PyMARL2: 2, QPLEX's code: 1 (SMAC)"
    )


class MappoSettings(LearningSettings):
    """MAPPO: a recurrent policy and a centralised critic, learning from the episodes just played."""

    learning_rate: float = Field(5e-4, gt=0, description="Adam step size of actor and critic")
    adam_epsilon: float = Field(1e-5, gt=0, description="Adam's epsilon: bounds the step where gradients are small")
    gamma: float = Field(0.99, ge=0, le=1, description="discount of reward per env step")
    gae_lambda: float = Field(0.95, ge=0, le=1, description="lambda of generalised advantage estimation")
    entropy_weight: float = Field(0.01, ge=0, description="weight of the entropy bonus in the policy's loss")
    clip: float = Field(0.2, gt=0, lt=1, description="clipping range of probability ratios and of normalised values")
    huber_delta: float = Field(10.0, gt=0, description="error of a normalised value from which its loss is linear")
    epochs: int = Field(5, ge=1, le=MOST_REPEATS, description="times that each rollout is learned from")
    minibatches: int = Field(
        1, ge=1, le=MOST_REPEATS, description="random parts of a rollout in each epoch, a gradient step on each"
    )
    policy_gain: float = Field(
        0.01, gt=0, description="gain of the policy's last layer: how large its initial weights are"
    )
    gradient_clip: float = Field(10.0, gt=0, description="largest gradient norm, of the actor and of the critic")
    chunk_steps: int = Field(
        10, ge=1, le=10**6, description="env steps over which gradients flow back through the memory"
    )
    rollout_steps: int = Field(
        3200, ge=1, le=10**9, description="real env steps after which whole episodes are learned from"
    )


class CopaSettings(ValueDecompositionSettings):
    """COPA: value decomposition, and the weights of its regulariser."""

    recognition_weight: float = Field(0.001, ge=0, description="loss weight of -log q(z | what the player then did)")
    entropy_weight: float = Field(0.0001, ge=0, description="loss weight of the entropy of the coach's z, a bonus")

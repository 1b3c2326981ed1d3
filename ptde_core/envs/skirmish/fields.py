"""What each row of a battle's arrays means: the one vocabulary that all kernels share.

A battle is two small tables, `real` (rows, U) and `whole` (rows, U), one column per unit: allies in agent order,
then enemies. A map is three: `body` (rows, U) and `trait` (rows, U) per unit, `pair` (rows, U, U) per unit i and
other unit j. Constants are plain integers so that numba compiles them into the code.
"""

# real: per unit and battle. Lengths in cells, times in game loops.
(
    X,
    Y,
    FACE_X,  # unit vector of the facing
    FACE_Y,
    HEALTH,
    SHIELD,
    ENERGY,
    COOLDOWN,  # until the next swing may start; -1 once it has been ready for a whole loop
    WINDUP,  # until the swing in progress takes effect
    BURST,  # until the second hit of a swing lands
    BACKSWING,  # until the swing is over
    QUIET,  # since the last damage
    POINT_X,  # where a move or attack-move leads
    POINT_Y,
    HOME_X,  # where an idle unit belongs
    HOME_Y,
    SPEED,  # current speed per loop (matters for units that accelerate)
    WISH_X,  # direction wanted in this loop, unit vector
    WISH_Y,
    STRIDE,  # longest step wanted in this loop
    AIM_X,  # where it wants to get in this loop
    AIM_Y,
    WAY_X,  # where it heads for that: there, or the next corner of the path around walls
    WAY_Y,
    SHOT_X,  # the missile in flight
    SHOT_Y,
    SHOT_LEFT,  # loops left of a flight of fixed time
    BEAM_AGE,  # loops since the beam was fired
    BEAM_X,  # centre of the beam's line and its direction, unit vector
    BEAM_Y,
    BEAM_DX,
    BEAM_DY,
    WORTH,  # health + shield at the last observation
    DEALT,  # damage after armour that this unit has done, overkill included
    WASTED,  # the part of it that found nothing left to take
    HELP,  # loops until it may call for help again
    REALS,
) = range(37)

# whole: per unit and battle
(
    ALIVE,
    ORDER,  # one of the orders below
    TARGET,  # unit ordered or acquired; -1: none
    SWING_AT,  # target of the swing in progress; -1: none
    SWING_CLOSE,  # 1 if that swing is made with the close weapon
    BURST_AT,  # target of the second hit to come; -1: none
    SHOT_AT,  # target of the missile in flight; -1: none
    BEAM_AT,  # main target of the beam; -1: no beam
    BEAM_HIT_1,  # bit j: enemy j of the shooter has been hit by the first, second beam
    BEAM_HIT_2,
    POSTURE,  # one of the postures below
    TURNED,  # side on which it walks around obstacles: 1 left, -1 right, 0 none
    AWAY,  # whether an idle unit has left its place, and why, until it is back: HOME, NOTICED, ANSWERS
    STRUCK_BY,  # who damaged it in this loop; -1: nobody
    WAY_FOR,  # target for which the path around walls was planned
    STALLED,  # 1 if its last step led less than half as far as it wanted
    TOUCHED,  # bit j: unit j of the other side (a healer's: of its own) that it damaged or healed in this env step
    SCAN_PHASE,  # a healer's loop within its scan period: then it looks for a patient
    WHOLES,
) = range(19)

# orders
IDLE, MOVE, ATTACK, ATTACK_MOVE, ATTACK_ALL, HEAL = range(6)

# postures in a loop: FREE can be pushed by friends, WALKS moves by itself, ROCK stands fast
FREE, WALKS, ROCK = range(3)

# an idle unit is at its place, away after a foe that it noticed itself, or after one who struck it or a friend
HOME, NOTICED, ANSWERS = range(3)

# body: per unit of the map
(
    RADIUS,
    CLEARANCE,  # how far its centre stays off walls
    TOP_SPEED,  # per loop
    ACCELERATION,  # per loop squared
    TURN_COS,  # of the largest turn in one loop
    TURN_SIN,
    PERIOD,
    DAMAGE_POINT,
    BACK,
    CLOSE_PERIOD,
    CLOSE_POINT,
    SECOND_HIT,  # 0: one hit a swing
    SHOT_SPEED,  # per loop; 0: no missile
    SHOT_TIME,  # loops of a flight of fixed time; 0: none
    BLAST,  # radius of a suicide attack; 0: none
    HEALTH_MAX,
    SHIELD_MAX,
    ENERGY_START,
    ENERGY_MAX,
    ARMOUR,
    LIFE_REGEN,  # per loop
    ENERGY_REGEN,
    HEAL_RATE,  # life per loop; 0: no healer
    HEAL_PRICE,  # energy per life
    HEAL_START,  # energy below which autocast does not begin
    NORM,  # divisor of the cooldown in the state
    SPAWN_X,
    SPAWN_Y,
    BODIES,
) = range(29)

# trait: per unit of the map
(
    SIDE,
    GROUND,  # 0: open air, 1: floor only, 2: floor and cliffs
    ARMED,
    STRUCTURE,
    TURRET,
    BEAMS,
    BIOLOGICAL,
    BIT,  # position of its type among the type bits; -1: none
    TRAITS,
) = range(9)

# pair: unit i towards unit j. Centre distances; -1 where i cannot do it to j
(
    REACH,  # weapon
    REACH_SLOP,  # weapon, once the swing has begun
    SCAN,  # acquisition
    CLOSE_REACH,  # close weapon
    GAP,  # least distance that they keep; 0 where they pass through each other
    HEED,  # square of the distance within which i looks where j stands as it walks; 0 where they pass
    HIT,  # damage of one hit before shields and armour
    THREAT,  # 1 if j counts as a threat to i
    HEAL_REACH,  # heal
    CAST_REACH,  # heal, by autocast
    PAIRS,
) = range(11)

# setting: per map, the switches and the contract's numbers that kernels read
(
    LIMIT,
    SCALE,  # what rewards are divided by
    HOLD_BACKSWING,
    CHASE_TO_LEASH,
    RETARGET_HITTABLE,
    IDLE_RETURNS,
    PUSH_IDLE,
    HEALER_FOLLOWS,
    OPEN_GROUND,  # 1 if a straight line between two floor cells never meets a wall
    HEALER_RULES,  # 1 if SMAC's end rules for medivac maps hold
    TYPE_BITS,
    ALLY_SHIELDS,
    ENEMY_SHIELDS,
    HAS_HEALERS,
    KEEP_FORMATION,
    ORDER_KIND,
    HEAD_START,
    HEAL_SCAN,
    TURN_ON_SHOOTER,
    SETTINGS,
) = range(20)

# env-step actions (smac-contract#actions)
NO_OP, STOP, NORTH, SOUTH, EAST, WEST, FIRST_TARGET = range(7)

# battle outcomes
RUNNING, WON, LOST, DRAWN, TIMED_OUT = range(5)

SIGHT = 9.0
ATTACK_DISTANCE = 6.0  # SMAC offers attacks and heals up to this centre distance (smac-contract#ranges)

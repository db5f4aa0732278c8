{% extends 'common_group.pyx' %}
{% macro _place(side, value) %}
{% if '_own_' + side in used %}
_own_{{side}} = {{value}}
{% endif %}
{% if '_unit_' + side in used %}
_unit_{{side}} = {{value}}{{' + %d' % start[side] if start[side]}}
{% endif %}
{% endmacro %}
{% block maincode %}
    cdef int _which, _spike, _other, _row, _unit
    {% if waiting %}
    {% set _events = get_array_name(variables['_events']) %}
    cdef int _n_spikes = {{_events}}[{{n_source}}], _place
    cdef int32_t* _spikes = <int32_t*> {{_events}}
    # begin, end, delay, capacity, and then what waits: steps, and neurons
    cdef _numpy.ndarray[int32_t, ndim=1, mode='c'] _held = _waiting_line.line
    cdef int32_t* _line = <int32_t*> _held.data
    cdef int32_t* _due
    cdef int32_t* _waiting
    cdef int32_t _when, _now
    if {% if bounds[0] > 0 or bounds[1] < n_source %}True{% else %}_line[2] > 0 or _line[1] > _line[0]{% endif %}:
        if _n_spikes == 0 and _line[1] == _line[0]:
            return
        if _line[1] + _n_spikes > _line[3]:
            _waiting_line.make_room(_n_spikes)
            _held = _waiting_line.line
            _line = <int32_t*> _held.data
        _due = _line + 4
        _waiting = _due + _line[3]
        _now = {{get_array_name(variables['_timestep'])}}[0]
        _when = _now + _line[2]
        for _which in range(_n_spikes):
            _spike = _spikes[_which]
            {% if bounds[0] > 0 or bounds[1] < n_source %}
            if _spike < {{bounds[0]}} or _spike >= {{bounds[1]}}:
                continue
            {% endif %}
            # others may be due later, if the delay was longer
            _place = _line[1]
            while _place > _line[0] and _due[_place - 1] > _when:
                _due[_place] = _due[_place - 1]
                _waiting[_place] = _waiting[_place - 1]
                _place -= 1
            _due[_place] = _when
            _waiting[_place] = _spike - {{bounds[0]}}
            _line[1] += 1
        _spikes = _waiting + _line[0]
        _n_spikes = 0
        while _line[0] < _line[1] and _due[_line[0]] <= _now:
            _line[0] += 1
            _n_spikes += 1
    if _n_spikes == 0:
        return
    {% else %}
    # not at spikes, but for all
    cdef int _n_spikes = {{size[own]}}
    {% if guards %}
    _vectorisation_idx = 1
    {{scalar_code['scalars']|autoindent}}
    {{vector_code['scalars']|autoindent}}
    if not ({% for name in guards %}{{name}} != 0{{' or ' if not loop.last}}{% endfor %}):
        return
    {% endif %}
    {% endif %}
    {% for kind, block in steps %}
    _vectorisation_idx = 1
    {{scalar_code[block]|autoindent}}
    {% if kind == 'synaptic' %}
    for _which in range(_n_spikes):
        _spike = {{'_spikes[_which]' if waiting else '_which'}}
        _row = _spike // {{n[own]}}
        _unit = _spike - _row * {{n[own]}}
        {{_place(own, '_spike')|autoindent}}
        {% if 'i' in used and own == 'pre' %}
        i = _unit
        {% endif %}
        {% if 'j' in used and own == 'post' %}
        j = _unit
        {% endif %}
        for _other in range({{n[other]}}):
            {% if own == 'pre' %}
            _idx = <size_t>_unit * {{n.post}} + _other
            {% else %}
            _idx = <size_t>_other * {{n.post}} + _unit
            {% endif %}
            {% if mask %}
            if {{get_array_name(variables[mask])}}[_idx] == 0:
                continue
            {% endif %}
            {% if '_stored' in used %}
            _stored = {{'_other * %d + _unit' % n.pre if own == 'pre' else '_unit * %d + _other' % n.pre}}
            {% endif %}
            {{_place(other, '_row * %d + _other' % n[other])|autoindent}}
            {% if 'i' in used and own == 'post' %}
            i = _other
            {% endif %}
            {% if 'j' in used and own == 'pre' %}
            j = _other
            {% endif %}
            _vectorisation_idx = _idx
            {{vector_code[block]|autoindent}}
    {% else %}
    {% set side = own if kind == 'spiking' else kind %}
    for _which in range({{'_n_spikes' if kind == 'spiking' else size[side]}}):
        _spike = {{'_spikes[_which]' if kind == 'spiking' else '_which'}}
        {{_place(side, '_spike')|autoindent}}
        _vectorisation_idx = _spike
        {{vector_code[block]|autoindent}}
    {% endif %}
    {% endfor %}
    {% if solves %}
    {{get_array_name(variables[last])}}[0] = {{constant_or_scalar('t', variables['t'])}}
    {% endif %}
{% endblock %}
